"""Locks a project of uv that has no lock, as flyte's builder does while it installs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Dict, List, Sequence

from ._errors import MachineError, ResolutionError
from ._flyte_names import UVProject


def lock(layer: UVProject, folder: Path, secrets: Sequence[Sequence[str]]) -> None:
    """Makes ``uv.lock`` of the copy of the project in ``folder``."""
    command = [_uv(), "lock", "--quiet", "--no-python-downloads", *_options(layer)]
    try:
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **_variables(secrets)}, stderr=subprocess.PIPE, text=True
        )
    except OSError as error:
        raise MachineError(f"cannot start {command[0]}: {error.strerror}", "install uv: `pip install uv`") from error
    if done.returncode:
        raise ResolutionError(
            f"{layer.pyproject} has no uv.lock beside it, and cannot be locked without its project:\n"
            f"{done.stderr.rstrip()}",
            "run `uv lock` in the project",
        )


def _uv() -> str:
    try:
        from uv import find_uv_bin

        return os.fspath(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return "uv"


def _options(layer: UVProject) -> List[str]:
    options = ["--default-index", layer.index_url] if layer.index_url else []
    for url in layer.extra_index_urls or ():
        options += ["--index", url]
    return options + ["--prerelease", "allow"] * bool(layer.pre)


def _variables(secrets: Sequence[Sequence[str]]) -> Dict[str, str]:
    """The variables that secrets become; such as are not there are told of when the image is made."""
    variables = {}
    for source, target in secrets:
        kind, _, name = target.partition(":")
        if kind != "env":
            continue
        if source.startswith("env:"):
            variables[name] = os.environ.get(source[len("env:") :], "")
        elif os.path.isfile(source):
            variables[name] = Path(source).read_text(encoding="utf-8").rstrip("\n")
    return variables
