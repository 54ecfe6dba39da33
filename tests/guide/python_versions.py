# Use different Python versions in the image.
from flytekit import ImageSpec

image_spec = ImageSpec(
    packages=["pandas"],
    python_version="3.9",
    registry="ghcr.io/flyteorg",
)
