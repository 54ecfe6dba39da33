"""The examples of Flyte, one for each page of its guide about ImageSpec, several images, and raw containers.

They are built as a user builds them, and their tasks run inside their images.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from imagewright import _program

EXAMPLES = Path(__file__).parents[2] / "examples" / "flyte"

pytestmark = pytest.mark.usefixtures("network")


def imagewright(*words: str) -> str:
    environment = {**os.environ, "IMAGEWRIGHT_PYTHON_PROGRAM": sys.executable}
    told = subprocess.run([_program.find(), *words], capture_output=True, text=True, env=environment)
    assert told.returncode == 0, f"{words}\n{told.stdout}\n{told.stderr}"
    return told.stdout


def inside(image: str, *command: str) -> str:
    """What a command prints in an image, with the examples at the place of the source."""
    return imagewright("run", image, "--progress", "none", "--volume", f"{Path.cwd()}:/root:ro", "--", *command)


def test_the_tasks_of_the_examples_run_in_their_images(project: Path) -> None:
    # The user of an image reads them.
    project.chmod(0o755)
    for example in sorted(EXAMPLES.glob("*.py")):
        shutil.copy(example, project)
    files = sorted(path.name for path in project.glob("*.py"))
    assert files == ["image_spec.py", "multiple_images.py", "raw_container.py"]
    images = imagewright("build", "--progress", "none", *files).splitlines()
    assert len(images) == 4

    # One start for each image, as each start unpacks one.
    told = inside("image_spec.py:image", "sh", "-c", "pyflyte run image_spec.py summary && echo $READINGS")
    assert told.splitlines()[-2].startswith("21.33") and told.endswith("three\n")

    hours = inside("multiple_images.py:tables", "python", "-c", "from multiple_images import hours; print(hours())")
    assert hours.splitlines()[-1] == "[0.0, 1.0, 2.0, 3.0]"
    fit = "from multiple_images import slope; print(round(slope(hours=[0.0, 1.0, 2.0]), 6))"
    pandas = "from importlib.util import find_spec; print(find_spec('pandas'))"
    told = inside("multiple_images.py:models", "python", "-c", f"{fit}; {pandas}")
    assert told.splitlines()[-2:] == ["2.0", "None"]

    outputs = project / "outputs"
    outputs.mkdir()
    outputs.chmod(0o777)
    sys.path.insert(0, str(project))
    try:
        from raw_container import area
    finally:
        sys.path.remove(str(project))
    command = [word.replace("{{.inputs.radius}}", "2") for word in area._cmd]
    imagewright("run", "raw_container.py:image", "--volume", f"{outputs}:/var/outputs", "--", *command)
    assert (outputs / "area").read_text() == "12.56636"
