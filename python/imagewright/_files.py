"""Specs that are read from files, by the program."""

from __future__ import annotations

import json
import os

from . import _program
from ._copy_mode import CopyFileDetection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, TypeVar

    Spec = TypeVar("Spec")


def read(cls: Callable[..., Spec], path: str | os.PathLike[str], *options: str) -> Spec:
    """The spec in a file, as an instance of a class."""
    # Below a folder, what begins with a dash is no option.
    text = _program.call(["spec", os.path.join(os.curdir, path), "--format=json", *options])
    return _spec(cls, json.loads(text, parse_float=_number))


def _spec(cls: Callable[..., Spec], fields: dict[str, Any]) -> Spec:
    base, mode, mounts = (fields.get(name) for name in ("base_image", "source_copy_mode", "pip_secret_mounts"))
    fields["base_image"] = _spec(cls, base) if isinstance(base, dict) else base
    fields["source_copy_mode"] = CopyFileDetection[mode] if mode else None
    fields["pip_secret_mounts"] = [(source, target) for source, target in mounts] if mounts else None
    return cls(**fields)


def _number(text: str) -> float | str:
    """A number of YAML is one to flytekit's id; but 3.10 is no version as a number."""
    return float(text) if repr(float(text)) == text else text
