# Install packages from extra index. Its name is another one here.
from flytekit import ImageSpec

image_spec = ImageSpec(
    name="pytorch-mnist",
    packages=["torch", "torchvision", "flytekitplugins-kfpytorch"],
    pip_extra_index_url=["https://pytorch.example/whl/cu118"],
    registry="ghcr.io/flyteorg",
)
