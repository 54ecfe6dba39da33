"""The builder ``imagewright`` of flytekit, by the entry point group ``flytekit.plugins``.

It is imported at the end of flytekit's own import, before any task file, in an image as on a laptop.
"""

from __future__ import annotations

import copy
import functools
import json
import os
import sys
import warnings
from typing import Any, Dict, List, Optional, Tuple

from flytekit.image_spec.image_spec import ImageBuildEngine, ImageSpec, ImageSpecBuilder

from . import _client_wheel, _names, _others, _program, _requests, _spec, _variables
from ._errors import ImagewrightError, InternalError, NetworkError
from ._results import BuildResult

#: The builder's name.
NAME = "imagewright"

#: Above those of flytekit (1), envd and what is registered without one (5); below what a company gives its own (10).
PRIORITY = 9

#: Names the base image of specs that have none, as flytekit's envd builder has it.
_INTERNAL_IMAGE = "FLYTE_INTERNAL_IMAGE"

_PIN_DIGEST = "IMAGEWRIGHT_PIN_DIGEST"


class ImagewrightBuilder(ImageSpecBuilder):  # type: ignore[misc]  # flytekit has no types
    """Builds the images of specs without Docker, all images of a workflow at once."""

    def __init__(self) -> None:
        #: What has been built, by its request.
        self._built: Dict[str, BuildResult] = {}
        #: The specs of images by the name that flytekit puts in their place where they are a base.
        self._named: Dict[str, Dict[str, Any]] = {}

    def should_build(self, image_spec: Any) -> bool:
        """True: whether the image exists is asked of its registry when it is built, and no Docker is asked."""
        return True

    def build_image(self, image_spec: Any) -> str:
        """Builds the image unless it exists, and gives the name under which a task can pull it."""
        try:
            return self._name_of_built(image_spec)
        except ImagewrightError as error:
            # pyflyte shows what of this package led to an error, above what the user can do about it.
            raise error.with_traceback(None) from error.__cause__

    def _name_of_built(self, image_spec: Any) -> str:
        asked = self._request(image_spec)
        assumed = None if _requests.key(asked) in self._built else self._build_or_assume(asked)
        name = assumed or _pullable(self._built[_requests.key(asked)], asked)
        if assumed is None:
            self._named[name] = asked["spec"]
        # flytekit does not ask again for this spec, also when a file that it names has changed.
        _names.remember(image_spec, name)
        return name

    def _build_or_assume(self, asked: Dict[str, Any]) -> Optional[str]:
        """Builds the image and those to come; the name, where it is assumed to exist instead."""
        requests = self._with_others(asked)
        try:
            self._build(requests)
        except NetworkError:
            if not _variables.is_off(_variables.FAST_FAIL):
                raise
            assumed = _assumed(asked)
            if assumed is not None:
                return assumed
            if len(requests) == 1:
                raise
            # It may be the registry of another image that does not answer.
            self._build([asked])
        return None

    def _build(self, requests: List[Dict[str, Any]]) -> None:
        answers = _program.call(["build", "-", "--json"], spec=requests).rstrip("\n").split("\n")
        if len(answers) != len(requests):
            raise InternalError(f"{len(requests)} images were asked for, and {len(answers)} told")
        for asked, answer in zip(requests, answers):
            self._built[_requests.key(asked)] = BuildResult.parse(answer)

    def _with_others(self, asked: Dict[str, Any]) -> List[Dict[str, Any]]:
        """The request, and those for the other images that will be asked for after it."""
        specs = _specs_to_come()
        requests = {_requests.key(asked): asked}
        for spec in [*(base for over in specs for base in _bases(over)), *specs]:
            # Over an image of another builder it is built when that one is there.
            if all(part.builder == NAME for part in [spec, *_bases(spec)]):
                other = self._request(spec)
                requests.setdefault(_requests.key(other), other)
        return [other for key, other in requests.items() if key not in self._built]

    def _request(self, spec: Any) -> Dict[str, Any]:
        asked = request(spec)
        if _is_pickled():
            # The tag is another one, so who imports tasks keeps an image of any Python.
            innermost = _innermost(asked["spec"])
            if "base_image" not in innermost:
                innermost.setdefault("python_version", asked["python"])
        base = asked["spec"].get("base_image")
        if isinstance(base, str) and base in self._named:
            # An image without a registry is in the local store alone: its spec says how it is made.
            asked["spec"]["base_image"] = self._named[base]
        return asked


def request(spec: Any) -> Dict[str, Any]:
    """What the program is asked of the spec of a task's image, which needs flytekit, and this package's Python part."""
    from flytekit.image_spec.default_builder import get_flytekit_for_pypi

    asked = _requests.request(spec)
    asked["with"] = [get_flytekit_for_pypi()]
    asked["client"] = _client_wheel.path()
    asked["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
    asked["force"] = spec._is_force_push
    if not _variables.pushes():
        asked["push"] = False
    innermost = _innermost(asked["spec"])
    if os.environ.get(_INTERNAL_IMAGE):
        innermost.setdefault("base_image", os.environ[_INTERNAL_IMAGE])
    return asked


def _innermost(fields: Dict[str, Any]) -> Dict[str, Any]:
    """The base of the base, down to a spec over none or over an image."""
    while isinstance(fields.get("base_image"), dict):
        fields = fields["base_image"]
    return fields


def _assumed(asked: Dict[str, Any]) -> Optional[str]:
    """The name of an image of which nobody knows whether it exists; None where that is known."""
    answer = _program.call(["exists", "-", "--json"], spec=asked, answers=(0, 1, 4, 6))
    if json.loads(answer)["answer"] != "unknown":
        return None
    name = _program.call(["name", "-"], spec=asked).rstrip("\n")
    warnings.warn(
        f"whether {name} exists is unknown, and {_variables.FAST_FAIL} is off: "
        "Flytekit assumes the image already exists",
        stacklevel=2,
    )
    return name


def _pullable(result: BuildResult, asked: Dict[str, Any]) -> str:
    is_pinned = bool(os.environ.get(_PIN_DIGEST)) and _variables.is_on(_PIN_DIGEST)
    is_pushed = bool(asked["spec"].get("registry")) and _variables.pushes()
    if not is_pinned or not is_pushed or not result.digest:
        return result.image
    name, _, _ = result.image.rpartition(":")
    return f"{name}@{result.digest}"


def _bases(spec: Any) -> List[Any]:
    base = spec.base_image
    return [*_bases(base), base] if isinstance(base, ImageSpec) else []


def _specs_to_come() -> List[Any]:
    """The specs of what flytekit is serializing right now, and therefore will ask for one after the other."""
    entities, settings = _serialized()
    if not entities:
        return []
    from ._entities import image_specs

    specs = (_as_serialized(found.spec, found.entity, settings) for found in image_specs(entities))
    return [spec for spec in specs if spec is not None]


def _is_pickled() -> bool:
    """Whether the tasks that are serialized right now are pickled, which only the Python that does it can load."""
    from flytekit.core import python_auto_container

    from ._entities import image_specs

    # flytekit has it from 1.14.
    resolver = getattr(python_auto_container, "DefaultNotebookTaskResolver", ())
    entities, _ = _serialized()
    return any(isinstance(getattr(found.entity, "task_resolver", None), resolver) for found in image_specs(entities))


def _as_serialized(spec: Any, entity: object, settings: Any) -> Optional[Any]:
    """A copy of the spec, changed as flytekit changes it when it serializes what has it; None where none is built."""
    from flytekit.core.container_task import ContainerTask
    from flytekit.core.python_auto_container import PythonAutoContainerTask, update_image_spec_copy_handling
    from flytekit.core.python_customized_container_task import PythonCustomizedContainerTask

    if settings.image_config is not None and settings.image_config.find_image(spec.id) is not None:
        return None
    serialized = copy.deepcopy(spec)
    own = entity._image if isinstance(entity, ContainerTask) else getattr(entity, "container_image", None)
    if own is not spec:
        # That of a further container of a pod is built as it is.
        return serialized
    fast = settings.fast_serialization_settings
    if isinstance(entity, (PythonAutoContainerTask, ContainerTask)):
        update_image_spec_copy_handling(serialized, settings)
    elif isinstance(entity, PythonCustomizedContainerTask) and (fast is None or not fast.enabled):
        serialized.source_root = settings.source_root
    return serialized


def _serialized() -> Tuple[List[Any], Any]:
    """What is being serialized, and with which settings.

    A builder is told neither. They are what the outermost call of flytekit's translator was given; where there is
    none, images are built as flytekit asks for them.
    """
    found: Tuple[List[Any], Any] = ([], None)
    frame = sys._getframe()
    while frame is not None:
        place = (frame.f_globals.get("__name__"), frame.f_code.co_name)
        if place == ("flytekit.tools.translator", "get_serializable"):
            found = ([frame.f_locals.get("entity")], frame.f_locals.get("settings"))
        elif place == ("flytekit.tools.serialize_helpers", "get_registrable_entities"):
            from flytekit.core.context_manager import FlyteEntities

            settings = getattr(frame.f_locals.get("ctx"), "serialization_settings", None)
            found = (list(FlyteEntities.entities), settings) if settings is not None else ([], None)
        if frame.f_back is None:
            break
        frame = frame.f_back
    return found


def _keep_ids() -> None:
    """Makes a spec keep the id that it was made with.

    flytekit sets ``source_root`` and ``source_copy_mode`` when it serializes, and the id follows them or not, by
    whether it was asked for before. The task file, which is executed again in the image, makes the spec without them.
    """
    made = ImageSpec.__post_init__

    @functools.wraps(made)
    def post_init(self: Any) -> None:
        made(self)
        if self.builder == NAME:
            # flytekit keeps the first answer.
            _ = self.id

    ImageSpec.__post_init__ = post_init


if hasattr(ImageBuildEngine, "_IMAGE_NAME_TO_REAL_NAME"):
    ImageBuildEngine.register(NAME, ImagewrightBuilder(), priority=PRIORITY)
    _keep_ids()
    _spec.join_flytekit(_others, request)
else:
    # An error here would be one of `import flytekit`.
    warnings.warn("this flytekit is too old for imagewright to build its images", stacklevel=2)

_discovery = sys.modules.get("imagewright._discover")
if _discovery is not None:
    _discovery.record_builds(ImageBuildEngine)
