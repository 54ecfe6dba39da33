# Import modules only in a specific imageSpec environment, `pandas_image_spec`.
from flytekit import ImageSpec

image_spec = ImageSpec(
    packages=["pandas"],
    registry="ghcr.io/flyteorg",
)
