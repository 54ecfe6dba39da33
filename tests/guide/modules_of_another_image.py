# Import modules only in a specific imageSpec environment, `tensorflow_image_spec`.
from flytekit import ImageSpec

image_spec = ImageSpec(
    packages=["tensorflow", "pandas"],
    registry="ghcr.io/flyteorg",
)
