# Customize the tag of the image.
from flytekit import ImageSpec

image_spec = ImageSpec(
    name="my-image",
    packages=["pandas"],
    tag_format="{spec_hash}-dev",
    registry="ghcr.io/flyteorg",
)
