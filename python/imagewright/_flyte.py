"""Flyte 2's image builder ``imagewright``: a ``flyte.Image`` is made without Docker.

flyte finds it by its entry point; ``image.builder: imagewright`` in flyte's configuration chooses it, or
``flyte.init(image_builder="imagewright")``.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Type

from flyte.errors import ImageBuildError

from . import _flyte_layers, _program
from ._errors import ImagewrightError
from ._flyte_names import ImageBuild, logger, push_registry

if TYPE_CHECKING:
    from flyte import Image

__all__ = ["ImagewrightImageBuilder", "ImagewrightImageChecker"]


class ImagewrightImageChecker:
    """Says whether an image is in its registry; imagewright's registry client is asked, and nobody else."""

    @classmethod
    async def image_exists(cls, repository: str, tag: str, arch: Tuple[str, ...] = ("linux/amd64",)) -> Optional[str]:
        """The name of the image, or None where it is to be built.

        flyte takes an image that nobody can say anything of for one that exists. Here it is built: that finds out, or
        fails with the reason.
        """
        try:
            image = f"{_in_registry(repository)}:{tag}"
            spec = {"builder": "noop", "base_image": image, "platform": ",".join(arch)}
            answer = await asyncio.to_thread(_program.call, ["exists", "-", "--json"], spec=spec, answers=(0, 1, 4, 6))
        except (ImageBuildError, ImagewrightError):
            return None
        return image if json.loads(answer)["answer"] == "exists" else None


class ImagewrightImageBuilder:
    """Builds and pushes the images of Flyte 2."""

    builder_type = "imagewright"

    def get_checkers(self) -> Optional[List[Type[Any]]]:
        """What decides whether an image exists."""
        return [ImagewrightImageChecker]

    async def build_image(
        self, image: Image, dry_run: bool = False, wait: bool = True, force: bool = False
    ) -> ImageBuild:
        """Builds ``image`` and pushes it to its registry.

        ``dry_run`` prints what would be given to imagewright. Without ``wait`` the build goes on in the background,
        and the interpreter does not end before it.
        """
        if not image.registry:
            image = image.clone(registry=_push_registry(image.name or image.uri))
        if dry_run:
            with tempfile.TemporaryDirectory(prefix="imagewright-") as folder:
                request = _request(image, Path(folder), force)
            print(json.dumps(request, indent=2))
        elif wait:
            await asyncio.to_thread(_build, image, force)
        else:
            threading.Thread(target=_build_in_background, args=(image, force), name=image.uri).start()
        return ImageBuild(uri=image.uri, remote_run=None)


def _build(image: Image, force: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="imagewright-") as folder:
        _program.call(["build", "-", "--json"], spec=_request(image, Path(folder), force))


def _build_in_background(image: Image, force: bool) -> None:
    try:
        _build(image, force)
    except Exception as error:
        # Nobody waits for it.
        logger.error(f"Image {image.uri} was not built: {error}")


def _request(image: Image, folder: Path, force: bool) -> Dict[str, Any]:
    spec: Dict[str, Any] = {
        "name": image.name,
        "registry": image.registry,
        "tag_format": image.uri.rsplit(":", 1)[1],
        "platform": ",".join(image.platform),
        "python_version": ".".join(str(part) for part in image.python_version),
        "base_image": image.base_image,
        "source_root": str(folder),
        "source_copy_mode": "NO_COPY",
        "builder_options": {"layout": "flyte", "commands": "separate"},
        "layers": _flyte_layers.layers(image, folder),
    }
    return {"spec": spec, "id": image.uri, "force": force, "push": bool(image.registry)}


def _in_registry(repository: str) -> str:
    """The repository with the registry that flyte's configuration has, where it names none itself.

    flyte hands over the image's registry and name as one: `team/app` may be a name alone, or an account of Docker's
    registry and a name. Where a registry is configured it is taken for a name, as nobody else pushes there.
    """
    first, slash, _ = repository.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return repository
    if slash and not push_registry():
        return repository
    return f"{_push_registry(repository)}/{repository}"


def _push_registry(name: str) -> str:
    registry = push_registry()
    if registry:
        return str(registry)
    raise ImageBuildError(
        f"Cannot build image '{name}': no container registry is configured to push to. Set `registry` in the `image` "
        "section of flyte's configuration, or FLYTE_IMAGE_REGISTRY, or pass registry='<your-registry>' to the image"
    )
