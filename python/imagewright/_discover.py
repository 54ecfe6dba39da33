"""The images that a Python file has: what ``imagewright build file.py`` asks Python for.

The program starts this module, in the user's Python, with a file and names of things in it. The answer is one JSON
document on what was standard output: ``{"images": [...]}``, each with the ``name`` of its variable or task, what it
is ``for``, and a ``request`` (docs/python.md); or ``{"error": {...}}``. What the file prints goes to standard error.
"""

from __future__ import annotations

import difflib
import importlib
import itertools
import json
import os
import signal
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Iterable, Iterator, List, NoReturn, Optional, Sequence, Set, Tuple

from . import ImageSpec, ImagewrightError, _requests, _spec

#: How many lines of a traceback are told, the innermost.
_MOST_FRAMES = 5

#: What stays for folders until standard input is closed.
_KEEP = "import shutil, sys; sys.stdin.read(); [shutil.rmtree(folder, ignore_errors=True) for folder in sys.argv[1:]]"

#: What the file has flytekit build while it is imported.
_built: List[Any] = []

#: Folders with what a request names.
_kept: List[str] = []


class Refused(Exception):
    """Why a file's images cannot be known; told as an error of the user's."""

    def __init__(self, message: str, causes: Sequence[str] = (), hint: Optional[str] = None) -> None:
        super().__init__(message)
        self.causes = list(causes)
        self.hint = hint


@dataclass
class Image:
    """An image of a file, once for all that need it."""

    spec: Any
    #: The variable that has the spec, else the first task that needs it; of no other image of the file.
    name: str
    #: The names of what needs it, without duplicates.
    users: List[str]

    def answer(self, path: Path) -> Dict[str, Any]:
        return {"file": str(path), "name": self.name, "for": self.users, "request": self._request()}

    def _request(self) -> Dict[str, Any]:
        if _is_spec(self.spec):
            return _spec._request(self.spec)
        from . import _environments

        folder = tempfile.mkdtemp(prefix="imagewright-")
        _kept.append(folder)
        return _environments.request(self.spec, folder)


def main(arguments: Sequence[str]) -> None:
    """Answers for ``[--may-be-empty] FILE [NAME...]``."""
    # A file may print when it is imported, also from C. The answer keeps the descriptor that the program reads; that
    # of standard input says when the program has ended, so what asks the user is told that nobody answers.
    answer, ended = os.fdopen(os.dup(1), "w", encoding="utf-8"), os.dup(0)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    may_be_empty = arguments[0] == "--may-be-empty"
    file, *names = arguments[1:] if may_be_empty else arguments
    document: Dict[str, Any]
    try:
        path = Path(file).resolve()
        document = {"images": [image.answer(path) for image in images(path, names, may_be_empty)]}
    except (Refused, ImagewrightError) as refused:
        causes = refused.causes if isinstance(refused, Refused) else []
        document = {"error": {"message": str(refused.args[0]), "causes": causes, "hint": refused.hint}}
    # One line, as what the file started may keep the descriptor open.
    answer.write(json.dumps(document, default=os.fspath) + "\n")
    answer.close()
    sys.stdout.flush()
    sys.stderr.flush()
    _end(ended)


def _end(ended: int) -> NoReturn:
    """Ends, also where what was imported has threads that do not.

    A request may name what this process made. Until the program has ended, which closes standard input, a Python
    that has imported nothing stays for it.
    """
    client = sys.modules.get("imagewright._client_wheel")
    if client is not None and client.path.cache_info().currsize:
        _kept.append(os.path.dirname(client.path()))
    if not _kept:
        os._exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(ended, 0)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os.execv(sys.executable, [sys.executable, "-IS", "-c", _KEEP, *_kept])


def images(path: Path, names: Sequence[str], may_be_empty: bool) -> List[Image]:
    """The images of a file: of what ``names`` name, else of its tasks and workflows, else of its variables."""
    module = _load(path)
    environments = _environments_of(module)
    variables = {name: value for name, value in vars(module).items() if _is_spec(value)}
    variables.update(_images_of(path, module, names))
    entities = dict(_entities(module))
    configurations = dict(_configurations(module))
    found: List[Tuple[Any, Optional[str]]] = []
    for name in names:
        if name in variables:
            found.append((variables[name], None))
        elif name in configurations:
            found += [(spec, name) for spec in configurations[name].values()]
        elif name in entities:
            found += _of_entities(path, {name: entities[name]}, configurations)
        elif name in environments:
            found += _of_environments(path, [environments[name]])
        else:
            _refuse_name(path, name, [*entities, *environments, *configurations, *variables])
    if not names:
        of_file = [(spec, None) for spec in _built]
        of_tasks = [*_of_entities(path, entities, configurations), *_of_environments(path, environments.values())]
        found = [*of_tasks, *of_file] or _of_variables(path, variables)
    if not found and not may_be_empty:
        _refuse_empty(path, names, [*entities, *environments])
    return _merged(path, found, variables)


def _is_spec(value: object) -> bool:
    flytekit = sys.modules.get("flytekit.image_spec.image_spec")
    return isinstance(value, ImageSpec if flytekit is None else flytekit.ImageSpec)


def _merged(
    path: Path, found: Sequence[Tuple[Any, Optional[str]]], variables: Dict[str, Any]
) -> List[Image]:
    """Each spec once, in the order in which they were found."""
    keys = {name: _key(path, value) for name, value in variables.items()}
    taken = set(variables)
    merged: Dict[str, Image] = {}
    for spec, user in found:
        key = _key(path, spec)
        if key not in merged:
            same = (name for name, value in variables.items() if value is spec)
            equal = (name for name in variables if keys[name] == key)
            short = user.rpartition(".")[2] if user is not None else "image"
            merged[key] = Image(spec, next(same, None) or next(equal, None) or _free(short, taken), [])
            taken.add(merged[key].name)
        if user is not None and user not in merged[key].users:
            merged[key].users.append(user)
    return list(merged.values())


def _free(name: str, taken: Set[str]) -> str:
    """A name that no other image has: a pod may have two, and two modules tasks of one name."""
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(candidate for candidate in itertools.chain([name], numbered) if candidate not in taken)


def _key(path: Path, spec: Any) -> str:
    if not _is_spec(spec):
        return str(spec.uri)
    try:
        return _requests.key(_requests.fields(spec))
    except TypeError as error:
        raise Refused(f"{_shown(str(path))}: the ImageSpec `{spec.name}` has what no spec can have: {error}") from None


def _of_variables(path: Path, variables: Dict[str, Any]) -> List[Tuple[Any, Optional[str]]]:
    """Those of a module without tasks; the base of another is built with it."""
    of_others = (spec.base_image for spec in variables.values())
    bases = {_key(path, base) for base in of_others if _is_spec(base)}
    return [(spec, None) for spec in variables.values() if _key(path, spec) not in bases]


def _of_entities(
    path: Path, entities: Dict[str, Any], configurations: Dict[str, Dict[str, Any]]
) -> List[Tuple[Any, Optional[str]]]:
    if not entities:
        return []
    from ._entities import image_specs

    def configured(name: str) -> Optional[Any]:
        of_file = (images[name] for images in configurations.values() if name in images)
        return next(of_file, None) or _of_configuration_file(name)

    try:
        return [(found.spec, found.label) for found in image_specs(entities.values(), configured)]
    except Exception as error:
        # A workflow is compiled when its nodes are asked for.
        _refuse_error(path, error)


def _entities(module: ModuleType) -> Iterator[Tuple[str, Any]]:
    """What ``pyflyte run`` offers of a module; a launch plan under its own name, too."""
    if "flytekit" not in sys.modules:
        return
    # Where the package is not installed, but on the path, flytekit has not found its plugin.
    from . import _flytekit  # noqa: F401
    from flytekit.core.base_task import Task
    from flytekit.core.launch_plan import LaunchPlan
    from flytekit.core.workflow import WorkflowBase

    for name, value in vars(module).items():
        if isinstance(value, (Task, WorkflowBase, LaunchPlan)):
            yield name, value
            if isinstance(value, LaunchPlan):
                yield value.name, value


def _environments_of(module: ModuleType) -> Dict[str, Any]:
    """The environments of Flyte 2 in a module."""
    if "flyte" not in sys.modules:
        return {}
    from . import _environments

    return dict(_environments.environments(module))


def _of_environments(path: Path, environments: Iterable[Any]) -> List[Tuple[Any, Optional[str]]]:
    if not environments:
        return []
    from . import _environments

    try:
        return list(_environments.images(environments))
    except ImagewrightError:
        raise
    except Exception as error:
        _refuse_error(path, error)


def _images_of(path: Path, module: ModuleType, names: Sequence[str]) -> Iterator[Tuple[str, Any]]:
    """Variables of Flyte 2's images, as they are built. One that cannot be need not be, where nobody names it."""
    if "flyte" not in sys.modules:
        return
    from flyte import Image as FlyteImage

    from . import _environments

    for name, value in vars(module).items():
        if isinstance(value, FlyteImage):
            try:
                image = _environments.as_built(value)
            except ImagewrightError:
                if name in names:
                    raise
                continue
            except Exception as error:
                _refuse_error(path, error)
            if image is not None:
                yield name, image


def _configurations(module: ModuleType) -> Iterator[Tuple[str, Dict[str, Any]]]:
    """The specs of each ``ImageConfig`` of a module, by the names that templates have for them."""
    if not _built:
        return
    from flytekit.configuration import ImageConfig

    specs = {spec.image_name(): spec for spec in _built}
    for name, value in vars(module).items():
        if isinstance(value, ImageConfig):
            named = {image.name: specs.get(image.full) for image in value.images or []}
            yield name, {image: spec for image, spec in named.items() if spec is not None}


def _of_configuration_file(name: str) -> Optional[Any]:
    """The spec of an image of flytekit's configuration file, in which it may be a spec in YAML or somebody's image."""
    from flytekit.configuration import Image
    from flytekit.configuration.file import get_config_file
    from flytekit.configuration.internal import Images

    file = (Images.get_specified_images(get_config_file(None)) or {}).get(name)
    if file is None or not os.path.isfile(file):
        return None
    # flytekit reads the file, and has the image built.
    Image.look_up_image_info(name, file, allow_no_tag_or_digest=True)
    return _built[-1]


def record_builds(engine: Any) -> None:
    """Has flytekit's engine build nothing: what a file has it build, as ``ImageConfig`` does, is an image of the file.

    The plugin calls this when flytekit has been imported.
    """
    engine.build = _built.append


def _load(path: Path) -> ModuleType:
    """Imports a file as ``pyflyte run`` does: under its name below the first folder that is no package."""
    root = path.parent
    while (root / "__init__.py").exists():
        root = root.parent
    parts = path.relative_to(root).with_suffix("").parts
    if any("." in part for part in parts):
        raise Refused(f"{_shown(str(path))}: Python imports nothing with a dot in its name", hint="rename the file")
    name = ".".join(parts)
    sys.path.insert(0, str(root))
    try:
        module = importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        _refuse_error(path, error)
    if Path(module.__file__ or "").resolve() != path:
        raise Refused(
            f"{path}: Python has another module `{name}`, {module.__file__ or 'which is built in'}",
            hint="rename the file",
        )
    return module


def _refuse_error(path: Path, error: BaseException) -> NoReturn:
    """What went wrong in a file, with the lines that led to it."""
    frames = traceback.extract_tb(error.__traceback__)
    # What is above the user's file is ours and Python's.
    first = next((index for index, frame in enumerate(frames) if _is_same(frame.filename, path)), 0)
    if isinstance(error, SyntaxError) and first == 0:
        # The file itself cannot be parsed, so no line of it was executed.
        first = len(frames)
    told = [
        f"{_shown(frame.filename)}:{frame.lineno}: {frame.line}"
        for frame in frames[first:]
        if not frame.filename.startswith("<")
    ]
    if isinstance(error, SyntaxError):
        told.append(f"{_shown(error.filename or '')}:{error.lineno}: {(error.text or '').strip()}")
    what = "".join(traceback.format_exception_only(type(error), error)).strip()
    if isinstance(error, SyntaxError):
        what = what.splitlines()[-1]
    if isinstance(error, SystemExit):
        what = f"it ends Python when it is imported: {what}"
    raise Refused(f"{_shown(str(path))} cannot be read: {what}", told[-_MOST_FRAMES:], _hint(error))


def _is_same(filename: str, path: Path) -> bool:
    return os.path.realpath(filename) == str(path)


def _shown(filename: str) -> str:
    """A path as people name it: from here, where it is below."""
    relative = os.path.relpath(filename)
    return filename if relative.startswith(os.pardir) else relative


def _hint(error: BaseException) -> Optional[str]:
    if isinstance(error, SystemExit):
        return 'put what a script does below `if __name__ == "__main__":`'
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        package = error.name.partition(".")[0]
        return (
            f"the file was imported with {sys.executable}: install `{package}` there, or name another Python "
            "(`IMAGEWRIGHT_PYTHON_PROGRAM`); what only an image has belongs below `if image.is_container():`"
        )
    return None


def _refuse_name(path: Path, name: str, known: Sequence[str]) -> NoReturn:
    near = difflib.get_close_matches(name, known, n=1)
    listed = ", ".join(known)
    hint = f"did you mean `{near[0]}`?" if near else f"it has {listed}" if listed else None
    raise Refused(f"{_shown(str(path))} has no workflow, task or ImageSpec `{name}`", hint=hint)


def _refuse_empty(path: Path, names: Sequence[str], entities: Sequence[str]) -> NoReturn:
    shown = _shown(str(path))
    if names:
        raise Refused(f"no task of {' and '.join(names)} in {shown} has an ImageSpec")
    if not entities:
        raise Refused(f"{shown} has no ImageSpec, and no tasks", hint="name a file that has some")
    is_flyte_2 = "flyte" in sys.modules and "flytekit" not in sys.modules
    example = "TaskEnvironment(image=...)" if is_flyte_2 else "@task(container_image=ImageSpec(...))"
    raise Refused(f"no task of {shown} has an image that is built", hint=f"give one to a task: `{example}`")
