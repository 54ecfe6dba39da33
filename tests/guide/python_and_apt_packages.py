# Install Python or APT packages.
from flytekit import ImageSpec

image_spec = ImageSpec(
    packages=["scikit-learn", "tensorflow==2.5.0"],
    apt_packages=["curl", "wget"],
    registry="ghcr.io/flyteorg",
)
