"""An execution in an image: nothing is built, nobody is asked, and the images are those that were registered."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

from flyteidl.core import dynamic_job_pb2
from imagewright import _program
from pyflyte import containers, pyflyte, tags

DYNAMIC = """
from flytekit import ImageSpec, dynamic, task
from imagewright import ImageSpec as Ours


@task(container_image=Ours(name="{unique}-child", packages=["pluggy"], registry="{registry}"))
def child(x: int) -> int:
    return x


@dynamic(container_image=ImageSpec(name="{unique}-parent", packages=["iniconfig"], registry="{registry}"))
def parent() -> int:
    return child(x=1)
"""

# A program that is there would be called by what is built or asked.
EXECUTE = """
set -e
touch /tmp/in.pb
"$@" >&2
test ! -e /tmp/called
base64 -w0 /tmp/out/futures.pb
"""


def test_a_dynamic_workflow_in_its_image_builds_nothing(
    network: None, project: Path, unique: str, registry: str
) -> None:
    (project / "later.py").write_text(DYNAMIC.format(unique=unique, registry=registry))
    pyflyte("--pkgs", "later", "package", "--source", ".", "--output", "later.tgz")
    made = containers(project / "later.tgz")
    program = project / "imagewright"
    program.write_text("#!/bin/sh\ntouch /tmp/called\nexit 70\n")
    program.chmod(0o755)
    project.chmod(0o755)

    parent = made["later.parent"]
    places = {"{{.input}}": "/tmp/in.pb", "{{.outputPrefix}}": "/tmp/out", "{{.rawOutputDataPrefix}}": "/tmp/raw"}
    arguments = [places.get(word, word) for word in parent.args]
    variables = {entry.key: entry.value for entry in parent.env}
    variables.update(FLYTE_INTERNAL_EXECUTION_ID="e", FLYTE_INTERNAL_TASK_NAME="later.parent")
    start = [_program.find(), "run", parent.image, "--volume", f"{program}:/usr/local/bin/imagewright:ro"]
    start += [f"--env={name}={value}" for name, value in variables.items()]
    words = [*start, "--", "bash", "-c", EXECUTE, "bash", *arguments]
    run = subprocess.run(words, capture_output=True, encoding="utf-8")
    assert run.returncode == 0, run.stderr
    job = dynamic_job_pb2.DynamicJobSpec.FromString(base64.b64decode(run.stdout))
    assert [task.container.image for task in job.tasks] == [made["later.child"].image]
    for name in (f"{unique}-parent", f"{unique}-child"):
        assert len(tags(registry, name)) == 1, run.stderr
