"""The images of Flyte 2's environments in a Python file: those that ``flyte build`` would build, under its names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, Optional, Tuple

import flyte
import flyte.config

from ._errors import SpecError

if TYPE_CHECKING:
    from types import ModuleType


def environments(module: ModuleType) -> Iterator[Tuple[str, flyte.Environment]]:
    """The environments of a module by their variables, and under their own names."""
    for variable, value in vars(module).items():
        if isinstance(value, flyte.Environment):
            yield variable, value
            yield value.name, value


def images(wanted: Iterable[flyte.Environment]) -> Iterator[Tuple[flyte.Image, str]]:
    """What is to be built for environments and all that they depend on, with the name of the environment."""
    seen: List[flyte.Environment] = []
    waiting = list(wanted)[::-1]
    while waiting:
        environment = waiting.pop()
        if any(environment is other for other in seen):
            continue
        seen.append(environment)
        # Flyte's default image is there, and so is one that is given by its name.
        if isinstance(environment.image, flyte.Image):
            image = as_built(environment.image)
            if image is not None:
                yield image, environment.name
        waiting += environment.depends_on[::-1]


def as_built(image: flyte.Image) -> Optional[flyte.Image]:
    """The image as ``flyte build`` has it built: without the code, which is bundled; None where nothing is to do."""
    from flyte._image import resolve_code_bundle_layer
    from flyte._initialize import is_initialized

    if not is_initialized():
        # The ignored files below here are part of a tag.
        flyte.init(root_dir=Path.cwd())
    image = resolve_code_bundle_layer(image, "loaded_modules", Path.cwd())
    if image._ref_name is not None:
        image = image.clone(base_image=_referred(image._ref_name))
        if not image._layers:
            return None
    if not image._is_cloned or image.name is None:
        return None
    return _with_registry(image)


def _with_registry(image: flyte.Image) -> flyte.Image:
    from ._flyte_names import push_registry

    registry = None if image.registry else push_registry()
    return image.clone(registry=registry) if registry else image


def _referred(name: str) -> str:
    """The image that has a name in flyte's configuration."""
    configured: Dict[str, str] = flyte.config.auto().image.image_refs
    if name not in configured:
        raise SpecError(
            f"flyte's configuration has no image `{name}`", "name it in `image.image_refs` of the configuration"
        )
    return configured[name]


def request(image: flyte.Image, folder: str) -> Dict[str, Any]:
    """What the program is asked; what is copied into the image is put into ``folder``."""
    from . import _flyte

    return _flyte._request(image, Path(folder), force=False)
