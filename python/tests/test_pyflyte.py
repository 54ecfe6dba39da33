"""What ``pyflyte`` does with images: ``build``, and ``--image`` with a spec in YAML, a name or a template."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyflyte import images, pyflyte, tags

pytestmark = pytest.mark.usefixtures("network")

FLOW = """
from flytekit import ImageSpec, task, workflow


@task(container_image=ImageSpec(name="{unique}", packages=["pluggy"], registry="{registry}"))
def own() -> int:
    return 1


@task(container_image="{{{{.image.other.fqn}}}}:{{{{.image.other.version}}}}")
def other() -> int:
    return 2


@task(container_image="{{{{.image.other}}}}")
def whole() -> int:
    return 2


@task
def plain() -> int:
    return 3


@workflow
def flow() -> int:
    own()
    other()
    whole()
    return plain()
"""


@pytest.fixture
def flow(project: Path, unique: str, registry: str) -> Path:
    (project / "flow.py").write_text(FLOW.format(unique=unique, registry=registry))
    for name in ("default", "other"):
        fields = {"name": f"{unique}-{name}", "packages": ["iniconfig"], "registry": registry, "python_version": "3.11"}
        (project / f"{name}.yaml").write_text(json.dumps(fields))
    return project


def test_build_makes_the_images_with_and_without_the_source(flow: Path, unique: str, registry: str) -> None:
    # A task: this command knows no image but flytekit's default.
    pyflyte("build", "--fast", "flow.py", "own")
    assert len(tags(registry, unique)) == 1
    pyflyte("build", "flow.py", "own")
    assert len(tags(registry, unique)) == 2


def test_an_image_of_the_command_line_may_be_a_spec(flow: Path, unique: str, registry: str) -> None:
    package = ["--pkgs", "flow", "package", "--source", ".", "--fast", "--output", "flow.tgz"]
    pyflyte(*package, "--image", "default.yaml", "--image", "other=other.yaml")
    named = images(flow / "flow.tgz")
    for task, name in (
        ("plain", f"{unique}-default"),
        ("other", f"{unique}-other"),
        ("whole", f"{unique}-other"),
        ("own", unique),
    ):
        [tag] = tags(registry, name)
        assert named[f"flow.{task}"] == f"{registry}/{name}:{tag}"

    pyflyte(*package, "--force", "--image", "default.yaml", "--image", "other=registry.example/other:1")
    named = images(flow / "flow.tgz")
    assert named["flow.other"] == named["flow.whole"] == "registry.example/other:1"


def test_run_remote_builds_before_it_asks_the_backend(flow: Path, unique: str, registry: str) -> None:
    (flow / "config.yaml").write_text("admin: {endpoint: 'dns:///localhost:1', insecure: true, maxRetries: 1}\n")
    command = ["--config", "config.yaml", "run", "--remote"]
    told = pyflyte(*command, "--image", "default.yaml", "--image", "other=other.yaml", "flow.py", "flow", code=1)
    assert "localhost:1" in told or "UNAVAILABLE" in told or "failed to connect" in told, told
    for name in (f"{unique}-default", f"{unique}-other"):
        assert len(tags(registry, name)) == 1, told


def test_what_went_wrong_is_told_without_code(project: Path, unique: str) -> None:
    (project / "flow.py").write_text(FLOW.format(unique=unique, registry="localhost:1"))
    told = pyflyte("build", "--fast", "flow.py", "own", code=1)
    assert "NetworkError" in told and "localhost:1" in told and "hint:" in told
    assert "Traceback" not in told and "_program.py" not in told
