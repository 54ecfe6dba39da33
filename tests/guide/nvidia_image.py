# Use Nvidia docker image.
from flytekit import ImageSpec

image_spec = ImageSpec(
    base_image="nvidia/cuda:12.6.1-cudnn-devel-ubuntu22.04",
    packages=["tensorflow", "pandas"],
    python_version="3.9",
    registry="ghcr.io/flyteorg",
)
