"""What flytekit says of specs whose image another builder makes: Docker, envd, or one of a company."""

from __future__ import annotations

from typing import Any, Optional

from flytekit.image_spec.image_spec import ImageBuildEngine, ImageSpec


def makes(spec: Any) -> bool:
    """Whether the image of a spec is made by another builder that flytekit knows."""
    return spec.builder != "imagewright" and spec.builder in ImageBuildEngine.get_registry()


def tag(spec: Any) -> str:
    """The tag that flytekit gives, which it would keep."""
    return str(ImageSpec.tag.func(spec))


def image_name(spec: Any) -> str:
    """The name of the image, or the one that its builder gave it."""
    return str(ImageSpec.image_name(spec))


def exist(spec: Any) -> Optional[bool]:
    """Whether the image exists, as Docker knows or its registry."""
    found: Optional[bool] = ImageSpec.exist(spec)
    return found


def real_name(name: str) -> str:
    """The name that a builder gave an image in the place of this one."""
    return str(ImageBuildEngine._IMAGE_NAME_TO_REAL_NAME.get(name, name))
