# Install Conda packages.
from flytekit import ImageSpec

image_spec = ImageSpec(
    conda_packages=["langchain"],
    conda_channels=["conda-forge"],
    registry="ghcr.io/flyteorg",
)
