"""The package and the examples are typed: mypy's strict mode and pyright accept them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import imagewright
import pytest

#: This checkout.
TOP = Path(__file__).parents[2]


def run(*words: str) -> None:
    told = subprocess.run([sys.executable, "-m", *words], cwd=TOP, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_package_says_that_it_is_typed() -> None:
    assert Path(imagewright.__file__).with_name("py.typed").is_file()


def test_mypy_accepts_the_package(tmp_path: Path) -> None:
    run("mypy", "--strict", "--cache-dir", str(tmp_path), "python/imagewright")


def test_mypy_accepts_the_examples(tmp_path: Path) -> None:
    for example in sorted(TOP.glob("examples/**/*.py")):
        run("mypy", "--strict", "--cache-dir", str(tmp_path), str(example))


@pytest.mark.usefixtures("network")
def test_pyright_accepts_the_examples() -> None:
    examples = [str(path) for path in sorted(TOP.glob("examples/**/*.py"))]
    run("pyright", "--pythonpath", sys.executable, *examples)


WRONG = [
    ("ImageSpec(package=['six'])", "pyright"),
    ("ImageSpec(packages='six')", "mypy"),
    ("ImageSpec().with_packages(1)", "mypy"),
    ("ImageSpec().build(pushed=True)", "mypy"),
    ("len(ImageSpec().tag, 1) + ImageSpec().lock()", "mypy"),
]


@pytest.mark.usefixtures("network")
def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    lines = ["from imagewright import ImageSpec", *(line for line, _ in WRONG)]
    file = tmp_path / "wrong.py"
    file.write_text("\n".join(lines) + "\n")
    for checker, words in {
        "mypy": ["mypy", "--strict", "--cache-dir", str(tmp_path), str(file)],
        "pyright": ["pyright", "--pythonpath", sys.executable, str(file)],
    }.items():
        told = subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True).stdout
        for number, (line, by) in enumerate(WRONG, start=2):
            assert f"wrong.py:{number}:" in told or by != checker, f"{checker} accepts {line}\n{told}"
