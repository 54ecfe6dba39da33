"""A workflow of two images, packaged and registered where there is no Docker, and its tasks executed in them."""

from __future__ import annotations

import subprocess
import urllib.request
from pathlib import Path

from imagewright import _program
from pyflyte import images, pyflyte

# What is guarded is what each image alone has; flytekit brings neither.
WORKFLOW = """
from importlib.util import find_spec

from flytekit import ImageSpec, task, workflow
from imagewright import ImageSpec as Ours

from flows.helper import answer

first = ImageSpec(name="{unique}-first", packages=["pluggy"], registry="{registry}")
second = Ours(name="{unique}-second", packages=["iniconfig"], registry="{registry}")

if first.is_container():
    import pluggy
if second.is_container():
    import iniconfig


@task(container_image=first)
def one() -> int:
    assert (first.is_container(), second.is_container()) == (True, False)
    assert pluggy.__version__ and find_spec("iniconfig") is None
    return answer()


@task(container_image=second)
def two() -> int:
    assert (first.is_container(), second.is_container()) == (False, True)
    assert iniconfig.IniConfig and find_spec("pluggy") is None
    return answer()


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


def test_two_images(network: None, registry: str, unique: str, project: Path) -> None:
    project.joinpath("flows").mkdir()
    project.joinpath("flows", "__init__.py").touch()
    project.joinpath("flows", "helper.py").write_text("def answer() -> int:\n    return 42\n")
    project.joinpath("flows", "two.py").write_text(WORKFLOW.format(registry=registry, unique=unique))
    told = pyflyte("--pkgs", "flows", "package", "--output", "made.tgz")
    assert "Successfully packaged" in told
    made = images(project / "made.tgz")
    assert sorted(made) == ["flows.two.one", "flows.two.two"]
    assert made["flows.two.one"].startswith(f"{registry}/{unique}-first:")
    assert made["flows.two.two"].startswith(f"{registry}/{unique}-second:")

    pinned = {task: f"{image.rpartition(':')[0]}@{digest(image)}" for task, image in made.items()}
    pyflyte("--pkgs", "flows", "package", "--output", "again.tgz", IMAGEWRIGHT_PIN_DIGEST="1")
    assert images(project / "again.tgz") == pinned, "no image is made again"
    told = pyflyte("register", "--dry-run", "--copy", "none", "--version", "v1", "flows")
    assert "Successfully registered" in told

    for task, image in made.items():
        execute = [_program.find(), "run", image, "--", "sh", "-c", EXECUTE, task.rpartition(".")[2]]
        run = subprocess.run(execute, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
        assert run.returncode == 0, run.stdout
