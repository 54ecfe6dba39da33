# Build an image in different architecture.
from flytekit import ImageSpec

image_spec = ImageSpec(
    packages=["pandas"],
    platform="linux/arm64",
    registry="ghcr.io/flyteorg",
)
