"""A workflow of two images, packaged and registered in a fresh environment without Docker, and its tasks executed in them."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from pathlib import Path
from typing import List

import pytest
from fresh import Fresh
from imagewright import _program
from pyflyte import images, tags

# What is guarded is what each image alone has, beside the user's own environment, where flytekit lets a guard be true.
GUARDED = ("pluggy", "iniconfig")
WORKFLOW = """
from importlib.util import find_spec

from flytekit import ImageSpec, task, workflow
from imagewright import ImageSpec as Ours

from flows.helper import answer

first = ImageSpec(name="{unique}-first", packages=["pandas", "pluggy"], registry="{registry}")
second = Ours(name="{unique}-second", packages=["scikit-learn", "iniconfig"], registry="{registry}")

if first.is_container():
    import pluggy
if second.is_container():
    import iniconfig


@task(container_image=first)
def one() -> int:
    assert (first.is_container(), second.is_container()) == (True, False)
    assert pluggy.__version__ and find_spec("iniconfig") is None and find_spec("sklearn") is None
    from pandas import Series

    return int(Series([answer()]).sum())


@task(container_image=second)
def two() -> int:
    assert (first.is_container(), second.is_container()) == (False, True)
    assert iniconfig.IniConfig and find_spec("pluggy") is None and find_spec("pandas") is None
    from sklearn.linear_model import LinearRegression

    return round(LinearRegression().fit([[0], [1]], [0, answer()]).predict([[1]])[0])


@workflow
def both() -> int:
    one()
    return two()
"""

EXECUTE = """
set -e
touch /tmp/in.pb
pyflyte-execute --inputs /tmp/in.pb --output-prefix /tmp/out --raw-output-data-prefix /tmp/raw \\
    --resolver flytekit.core.python_auto_container.default_task_resolver -- task-module flows.two task-name "$0"
test ! -e /tmp/out/error.pb || { cat /tmp/out/error.pb; exit 1; }
test -e /tmp/out/outputs.pb
"""


def digest(image: str) -> str:
    """Of an image that can be pulled by this name."""
    registry, _, rest = image.partition("/")
    name, _, tag = rest.rpartition(":")
    request = urllib.request.Request(
        f"http://{registry}/v2/{name}/manifests/{tag}",
        headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
        method="HEAD",
    )
    with urllib.request.urlopen(request) as answer:
        return str(answer.headers["Docker-Content-Digest"])


@pytest.fixture(scope="module")
def fresh(network: None, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    return Fresh.install(tmp_path_factory.mktemp("fresh") / "environment", *GUARDED)


def test_two_images(fresh: Fresh, registry: str, unique: str, project: Path) -> None:
    project.joinpath("flows").mkdir()
    project.joinpath("flows", "__init__.py").touch()
    project.joinpath("flows", "helper.py").write_text("def answer() -> int:\n    return 42\n")
    project.joinpath("flows", "two.py").write_text(WORKFLOW.format(registry=registry, unique=unique))
    assert fresh.engines() == [] and "No broken requirements" in fresh.run("pip", "check")
    assert str(fresh.folder / "bin" / "uv") in fresh.run("imagewright", "doctor")
    # Nobody listens there, but before anybody is asked both images are made, at once and each once.
    register = ("register", "--copy", "none", "--version", "v1", "flows")
    backend = {"FLYTE_PLATFORM_URL": "localhost:9", "FLYTE_PLATFORM_INSECURE": "1"}
    told = fresh.run("pyflyte", *register, code=1, **backend)
    assert "StatusCode.UNAVAILABLE" in told
    for name in (f"{unique}-first", f"{unique}-second"):
        assert told.count(f"[{name}] resolving {name} ") == 1, told
    assert len(tags(registry, f"{unique}-first")) == len(tags(registry, f"{unique}-second")) == 1
    told = fresh.run("pyflyte", "--pkgs", "flows", "package", "--output", "made.tgz")
    assert "Successfully packaged" in told
    made = images(project / "made.tgz")
    assert sorted(made) == ["flows.two.one", "flows.two.two"]
    assert made["flows.two.one"].startswith(f"{registry}/{unique}-first:")
    assert made["flows.two.two"].startswith(f"{registry}/{unique}-second:")

    pinned = {task: f"{image.rpartition(':')[0]}@{digest(image)}" for task, image in made.items()}
    fresh.run("pyflyte", "--pkgs", "flows", "package", "--output", "again.tgz", IMAGEWRIGHT_PIN_DIGEST="1")
    assert images(project / "again.tgz") == pinned, "no image is made again"
    assert "Successfully registered" in fresh.run("pyflyte", *register, "--dry-run")

    # Both can be pulled by these names, one of them by Docker, and each runs its task.
    docker = ["docker", "--host", f"unix://{os.environ['IMAGEWRIGHT_TEST_DOCKER']}", "run", "--rm"]
    inside([*docker, made["flows.two.one"]], "one")
    inside([_program.find(), "run", made["flows.two.two"], "--"], "two")


def inside(start: List[str], task: str) -> None:
    """Executes a task as a backend does."""
    run = subprocess.run(
        [*start, "sh", "-c", EXECUTE, task], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    )
    assert run.returncode == 0, run.stdout
