# Force push an image.
from flytekit import ImageSpec

image = ImageSpec(registry="ghcr.io/flyteorg", packages=["pandas"]).force_push()
