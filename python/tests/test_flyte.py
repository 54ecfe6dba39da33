"""Flyte 2's own entry point and its ``build`` with the builder ``imagewright``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Dict

import pytest
from images import digest, manifest, rename
from pyflyte import tags

flyte = pytest.importorskip("flyte")

from flyte._image import UVScript  # noqa: E402
from flyte.errors import ImageBuildError  # noqa: E402

from imagewright import _program  # noqa: E402

TASK = """\
import flyte
import helper

environment = flyte.TaskEnvironment(name="test")


@environment.task
def double(x: int) -> int:
    return helper.double(x)
"""

#: What is asked inside of the image.
INSIDE = """\
import importlib.metadata, json, os, pathlib, pwd, sys
sys.path.insert(0, ".")
import task
print(json.dumps({
    "doubled": task.double.func(21),
    "toolz": importlib.metadata.version("toolz"),
    "prefix": sys.prefix,
    "user": pwd.getpwuid(os.getuid()).pw_name,
    "directory": os.getcwd(),
    "made": (pathlib.Path("made").read_text() + pathlib.Path("../made").read_text()).split(),
    "owner": pathlib.Path("task.py").owner(),
    "data": pathlib.Path("/opt/data.txt").read_text(),
    "greeting": os.environ["GREETING"],
    "image": os.environ["_F_IMG_ID"],
}))
"""


@pytest.fixture
def flytes(project: Path) -> Path:
    """A working directory in which flyte is configured to use imagewright."""
    flyte.init(root_dir=project, image_builder="imagewright")
    return project


@pytest.fixture
def bases() -> str:
    """The repository prefix of base images in the registry."""
    named = os.environ.get("IMAGEWRIGHT_TEST_BASES")
    if not named:
        pytest.skip("IMAGEWRIGHT_TEST_BASES is not set")
    return named


def inside(image: str, program: str) -> Dict[str, Any]:
    said = _program.call(["run", image, "--", "python", "-c", program])
    answer: Dict[str, Any] = json.loads(said)
    return answer


def test_an_image_is_built_pushed_and_runs_its_task(
    flytes: Path, registry: str, bases: str, network: None, unique: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = flytes / "src"
    source.mkdir()
    (source / "task.py").write_text(TASK)
    (source / "helper.py").write_text("def double(x):\n    return 2 * x\n")
    (flytes / "data.txt").write_text("data\n")
    image = (
        flyte.Image.from_base(f"{bases}/debian-python:bookworm")
        .clone(registry=registry, name=unique, python_version=(3, 11), extendable=True)
        .with_pip_packages(f"flyte=={flyte.__version__}")
        .with_workdir("/app")
        .with_source_folder(source)
        .with_source_file(flytes / "data.txt", "/opt")
        .with_env_vars({"GREETING": "hello"})
        .with_commands(["echo $GREETING > made", "id -un >> made"])
        .with_pip_packages("toolz==0.12.0")
        .with_workdir("src")
        .with_commands(["echo src > made"])
        .with_pip_packages("toolz==1.0.0")
    )
    flyte.build(image, dry_run=True)
    assert "toolz==1.0.0" in capsys.readouterr().out
    assert tags(registry, unique) == []
    built = flyte.build(image)
    assert built.uri == image.uri
    assert inside(image.uri, INSIDE) == {
        "doubled": 42,
        "toolz": "1.0.0",
        "prefix": "/opt/venv",
        "user": "root",
        "directory": "/app/src",
        "made": ["src", "hello", "root"],
        "owner": "root",
        "data": "data\n",
        "greeting": "hello",
        "image": image.uri,
    }
    # Another process finds it in the registry, and builds nothing; it may be forced to.
    before = digest(image.uri)
    program = (
        "import sys, flyte, pathlib\n"
        "from flyte._internal.imagebuild.image_builder import ImageBuildEngine as engine\n"
        "flyte.init(root_dir=pathlib.Path('.'), image_builder='imagewright')\n"
        "checker, = engine._get_builder('imagewright').get_checkers()\n"
        "import asyncio\n"
        "for tag in sys.argv[2:]:\n"
        "    print(asyncio.run(checker.image_exists(sys.argv[1], tag)))\n"
    )
    name, tag = image.uri.rsplit(":", 1)
    found = subprocess.run(
        [sys.executable, "-c", program, name, tag, "none"], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == [image.uri, "None"]
    rename(f"{bases}/debian-python:bookworm", image.uri)
    flyte.build(image, force=True)
    assert digest(image.uri) == before


PROJECT = """\
[project]
name = "app"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["six"]

[dependency-groups]
dev = ["iniconfig"]

[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[tool.setuptools]
py-modules = ["app"]
"""

SCRIPT = """\
# /// script
# dependencies = ["pluggy", "file://tool"]
# ///
"""


def project_of(folder: Path, name: str) -> None:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT.replace("app", name))
    (folder / f"{name}.py").write_text(f"import six\nNAME = '{name}'\n")


def test_a_project_and_a_script_in_the_background(
    flytes: Path, registry: str, bases: str, network: None, unique: str
) -> None:
    app = flytes / "app"
    project_of(app, "app")
    # One without a lock.
    project_of(flytes / "tool", "tool")
    (flytes / "script.py").write_text(SCRIPT)
    subprocess.run([Path(sys.executable).with_name("uv"), "lock", "--quiet"], cwd=app, check=True)
    image = (
        flyte.Image.from_base(f"{bases}/debian-python:bookworm")
        .clone(registry=registry, name=unique, python_version=(3, 11), extendable=True)
        .with_uv_project(app / "pyproject.toml", project_install_mode="install_project")
        .clone(addl_layer=UVScript(script=flytes / "script.py"), extendable=True)
    )
    flyte.build(image, wait=False)
    for thread in threading.enumerate():
        if thread.name == image.uri:
            thread.join()
    names = "import app, tool, six, iniconfig, pluggy, json; print(json.dumps({'names': [app.NAME, tool.NAME]}))"
    assert inside(image.uri, names) == {"names": ["app", "tool"]}
    before = manifest(image.uri)["layers"]
    flyte.build(image, force=True)
    assert manifest(image.uri)["layers"] == before, "where it is locked is in no layer"


def test_failures_are_those_that_flyte_knows(flytes: Path, registry: str, unique: str) -> None:
    base = flyte.Image.from_base("localhost:1/base:1")
    for image, said in [
        (base.clone(name=unique, extendable=True), "no container registry is configured"),
        (base.clone(name=unique, registry=registry, extendable=True).with_pip_packages("six"), "localhost:1"),
    ]:
        with pytest.raises(ImageBuildError, match=said):
            flyte.build(image)
