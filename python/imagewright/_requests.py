"""What the program is asked: a spec as JSON, and what Python knows besides (``docs/python.md``)."""

from __future__ import annotations

import os
import sys

from . import _fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Iterable


def request(spec: Any) -> dict[str, Any]:
    """What the program is asked of a spec: its fields, and what it cannot say of the modules of this process."""
    found: dict[str, Any] = {"spec": fields(spec), "id": spec.id}
    roots = _roots_of_modules(found["spec"])
    if roots:
        found["loaded_modules"] = sorted({file for root in roots for file in loaded_modules(root)})
    return found


def _roots_of_modules(spec: dict[str, Any]) -> list[str]:
    """Where a spec, and those that make its bases, have the modules that they copy; each takes those in its own."""
    base = spec.get("base_image")
    roots = _roots_of_modules(base) if isinstance(base, dict) else []
    root = spec.get("source_root")
    return [*roots, root] if root is not None and spec.get("source_copy_mode") == "LOADED_MODULES" else roots


def fields(spec: Any) -> dict[str, Any]:
    """The fields of a spec that are set, as JSON has them; the spec is of this package's class or of flytekit's."""
    found = {
        name: value
        # Also those that only a newer flytekit has: the program refuses what it does not know.
        for name in _fields.names(type(spec))
        if (value := getattr(spec, name)) is not None and value != _default(type(spec), name)
    }
    if not isinstance(found.get("base_image", ""), str):
        found["base_image"] = fields(found["base_image"])
    if "source_copy_mode" in found:
        found["source_copy_mode"] = found["source_copy_mode"].name
    return found


def _default(kind: type, name: str) -> Any:
    """What a field is where nobody sets it: for the class that has it first, as a subclass may set another."""
    return next((vars(cls)[name] for cls in reversed(kind.__mro__) if name in vars(cls)), None)


def loaded_modules(source_root: str, modules: Iterable[ModuleType] | None = None) -> list[str]:
    """The files that ``source_copy_mode`` LOADED_MODULES copies: flytekit's, of the user's modules in a folder."""
    import site

    installed = [sys.prefix, sys.base_prefix, site.getusersitepackages(), *site.getsitepackages()]
    flytekit = getattr(sys.modules.get("flytekit"), "__file__", None)
    if flytekit is not None:
        installed.append(os.path.dirname(flytekit))
    candidates = list(sys.modules.values()) if modules is None else modules
    files = (getattr(module, "__file__", None) for module in candidates)
    return sorted(
        file
        for file in files
        if file is not None and _is_in(file, source_root) and not any(_is_in(file, folder) for folder in installed)
    )


def _is_in(file: str, folder: str) -> bool:
    try:
        return os.path.commonpath([file, folder]) == folder
    except ValueError:
        # One is relative, or both are on different drives.
        return False


def key(request: dict[str, Any]) -> str:
    """What tells a request from others."""
    import json

    return json.dumps(request, sort_keys=True, default=os.fspath)
