# Copy additional files or directories.
from flytekit import ImageSpec

image_spec = ImageSpec(
    name="image_with_copy",
    registry="localhost:30000",
    builder="default",
    copy=["files/input.txt"],
)
