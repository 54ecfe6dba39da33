"""Other versions of Python import the package, and give the answers that this one gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterator, Tuple

import imagewright
import imagewright._program
import pytest

#: What each Python is asked; it prints what must be the same in all.
QUESTIONS = """
import copy, dataclasses, json, pickle, sys
sys.path.insert(0, sys.argv[1])
import imagewright
import imagewright._program
from imagewright import CopyFileDetection, ImageSpec, ImagewrightError, SpecError

specs = [
    ImageSpec(),
    ImageSpec(name="Train", python_version="3.12", packages=["numpy", "pandas>=2"], registry="ghcr.io/Me"),
    ImageSpec(base_image=ImageSpec(name="base", apt_packages=["git"]), env={"A": "1", "B": "\\u65e5"}),
    ImageSpec(commands=["echo 'it''s'", "printf '\\\\n'"], entrypoint=[], builder_options={"bytecode": False}),
    ImageSpec(source_copy_mode=CopyFileDetection.NO_COPY, tag_format="{spec_hash}-dev", runtime_packages=["rich"]),
]
answers = []
for spec in specs:
    for other in (pickle.loads(pickle.dumps(spec)), copy.deepcopy(spec), dataclasses.replace(spec)):
        assert other == spec and hash(other) == hash(spec) and other.id == spec.id
    assert dataclasses.is_dataclass(spec) and dataclasses.asdict(spec)["name"] == spec.name
    answers.append([spec.id, spec.tag, spec.image_name(), spec.is_container(), spec.to_yaml(), repr(spec)])
try:
    ImageSpec(env={"": "no name"}).tag
except SpecError as error:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is SpecError and str(again) == str(error)
    answers.append([str(error), error.hint])
assert imagewright.BuildResult.__name__ == "BuildResult" and set(imagewright.__all__) <= set(dir(imagewright))
print(json.dumps(answers))
"""


def pythons() -> Iterator[Tuple[str, str]]:
    """The versions from 3.9 that pyenv or a system has besides this one, each with a program of it."""
    roots = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions", Path("/usr"), Path("/usr/local")]
    found: Dict[str, str] = {}
    for minor in range(9, 20):
        for root in roots:
            for path in sorted([*root.glob(f"*/bin/python3.{minor}"), *root.glob(f"bin/python3.{minor}")]):
                found.setdefault(f"3.{minor}", str(path))
    found.pop(f"3.{sys.version_info.minor}", None)
    yield from found.items()


def answers(python: str, folder: Path) -> object:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    if not environment.get("IMAGEWRIGHT_PROGRAM"):
        environment["IMAGEWRIGHT_PROGRAM"] = imagewright._program.find()
    # Nothing but the package is taken from this environment: its site-packages are another Python's.
    folder.joinpath("imagewright").symlink_to(Path(imagewright.__file__).parent)
    told = subprocess.run(
        [python, "-I", "-c", QUESTIONS, str(folder)], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert told.returncode == 0, f"{python}\n{told.stderr}"
    return json.loads(told.stdout)


def test_every_python_gives_the_same_answers(tmp_path: Path) -> None:
    others = dict(pythons())
    if not others:
        pytest.skip("there is no other Python from 3.9")
    folders = {version: tmp_path / version for version in ["own", *others]}
    for folder in folders.values():
        folder.mkdir()
    own = answers(sys.executable, folders["own"])
    for version, python in others.items():
        assert answers(python, folders[version]) == own, version
    print("compared with", *others)
