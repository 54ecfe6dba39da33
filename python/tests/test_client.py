"""What the package asks of its program: builds, questions, and failures as exceptions."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from contextlib import redirect_stderr
from pathlib import Path
from typing import Callable, Type

import imagewright
import pytest
from imagewright import (
    ImageSpec,
    ImagewrightError,
    InternalError,
    MachineError,
    NetworkError,
    ResolutionError,
    SpecError,
    StepError,
)

pytestmark = pytest.mark.usefixtures("network")


def test_an_image_is_built_pushed_and_asked_about(registry: str, unique: str, project: Path) -> None:
    spec = ImageSpec(name=unique, registry=registry, python_version="3.11", packages=["six"])
    assert spec.exist() is False
    layers = [layer for platform in spec.plan().platforms for layer in platform["layers"]]
    assert any("six" in json.dumps(layer) for layer in layers)

    built = spec.build()
    assert (built.status, built.image) == ("built", spec.image_name())
    assert built.bytes_uploaded > 0
    request = urllib.request.Request(
        f"http://{registry}/v2/{unique}/manifests/{spec.tag}",
        headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["Docker-Content-Digest"] == built.digest
    assert spec.exist() is True

    again = spec.build()
    assert (again.status, again.digest, again.bytes_uploaded) == ("exists", built.digest, 0)
    forced = spec.force_push().build()
    assert (forced.status, forced.digest) == ("built", built.digest)

    other = ImageSpec(name=unique, registry=registry, python_version="3.11", packages=["idna"], tag_format=spec.tag)
    assert other.image_name() == spec.image_name()
    assert other.exist() is False, "what is there was made of something else"


def test_a_build_may_be_told_where_to_push_and_what_to_lock(
    registry: str, unique: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = ImageSpec(name=unique, registry=registry, python_version="3.11", packages=["six"])
    with pytest.raises(SpecError, match="--frozen"):
        spec.build(frozen=True)
    project.joinpath("image.lock").write_text(spec.lock())
    local = spec.build(push=False, lock=Path("image.lock"), frozen=True)
    assert (local.status, local.bytes_uploaded, spec.exist()) == ("built", 0, False)
    monkeypatch.setenv("FLYTE_PUSH_IMAGE_SPEC", "0")
    assert spec.build().digest == local.digest and spec.exist() is False
    pushed = spec.build(push=True, lock="image.lock", frozen=True)
    assert pushed.digest == local.digest and spec.exist() is True
    with pytest.raises(SpecError, match="image.lock"):
        spec.with_packages("idna").build(lock="image.lock", frozen=True)


def test_a_lock_pins_what_is_in_the_image(unique: str, project: Path) -> None:
    lock = ImageSpec(name=unique, python_version="3.11", packages=["six"]).lock()
    assert "six" in lock and "sha256" in lock


def test_a_dockerfile_says_what_docker_would_be_told(project: Path) -> None:
    dockerfile = ImageSpec(python_version="3.11", packages=["six"], commands=["date"]).dockerfile()
    assert "FROM" in dockerfile and "date" in dockerfile


def test_a_spec_goes_to_yaml_and_back(project: Path) -> None:
    spec = ImageSpec(
        name="a",
        python_version="3.10",
        base_image=ImageSpec(name="b", packages=["six"]),
        env={"DEBUG": "yes", "EMPTY": ""},
        pip_secret_mounts=[("a", "/run/b")],
        entrypoint=[],
        commands=["echo 'a: b' # c", "printf '\\n'"],
    )
    project.joinpath("image.yaml").write_text(spec.to_yaml())
    assert ImageSpec.from_yaml("image.yaml") == spec
    assert ImageSpec.from_yaml(project / "image.yaml").id == spec.id


def test_a_script_says_what_it_needs(project: Path) -> None:
    project.joinpath("train.py").write_text(
        textwrap.dedent(
            """\
            # /// script
            # requires-python = "==3.11.*"
            # dependencies = ["six", "idna>=3"]
            # [tool.imagewright]
            # env = {A = "1"}
            # ///
            print("hello")
            """
        )
    )
    spec = ImageSpec.from_script("train.py")
    assert (spec.python_version, spec.packages, spec.env) == ("3.11", ["six", "idna>=3"], {"A": "1"})


def test_a_project_says_what_it_needs(project: Path) -> None:
    project.joinpath("pyproject.toml").write_text(
        textwrap.dedent(
            """\
            [project]
            name = "train"
            version = "1"
            requires-python = "==3.11.*"
            dependencies = ["six"]
            optional-dependencies = {web = ["idna"]}
            [dependency-groups]
            dev = ["certifi"]
            """
        )
    )
    assert ImageSpec.from_pyproject().packages == ["six"]
    assert ImageSpec.from_pyproject(extras=["web"], groups=["dev"]).packages == ["six", "idna", "certifi"]


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"requirements": "nowhere.txt"}, SpecError, "nowhere.txt"),
        ({"cuda": "12"}, SpecError, "cuda"),
        ({"packages": ["six==0.0.0.1"]}, ResolutionError, "six"),
        ({"base_image": "localhost:1/nothing:here"}, NetworkError, "localhost:1"),
        ({"commands": ["echo told >&2; exit 3"]}, StepError, "3"),
    ],
)
def test_a_failure_is_an_exception_of_its_kind(
    fields: dict, error: type, words: str, project: Path, unique: str  # type: ignore[type-arg]
) -> None:
    spec = ImageSpec(**{"name": unique, "python_version": "3.11", **fields})
    with pytest.raises(error, match=words) as raised:
        spec.build()
    caught = raised.value
    assert isinstance(caught, ImagewrightError) and type(caught) is error
    assert caught.hint and f"hint: {caught.hint}" in str(caught)
    # The program says the same.
    process = subprocess.run(
        [sys.executable, "-m", "imagewright", "build", "-"],
        input=json.dumps({"name": unique, "python_version": "3.11", **fields}),
        capture_output=True,
        text=True,
    )
    assert process.returncode == caught.exit_code
    assert str(caught).splitlines()[0].split("\n")[0] in process.stderr
    assert caught.hint in process.stderr


def test_a_failure_of_the_machine_says_so(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    project.joinpath("file").write_text("")
    monkeypatch.setenv("IMAGEWRIGHT_STORE", str(project / "file" / "store"))
    with pytest.raises(MachineError, match="file/store"):
        ImageSpec(python_version="3.11").build()


@pytest.mark.parametrize(
    ("end", "error"), [("exit 70", InternalError), ("kill -9 $$", InternalError), ("exit 6", MachineError)]
)
def test_a_program_that_ends_without_a_word_is_an_error(
    end: str, error: Type[ImagewrightError], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = project / "program"
    program.write_text(f"#!/bin/sh\n{end}\n")
    program.chmod(0o755)
    monkeypatch.setenv("IMAGEWRIGHT_PROGRAM", str(program))
    with pytest.raises(error, match="ended with"):
        ImageSpec().tag


@pytest.mark.parametrize("error", [InternalError, MachineError, NetworkError, ResolutionError, SpecError, StepError])
def test_errors_can_be_handed_to_another_process(error: Type[ImagewrightError]) -> None:
    for made in (error("it failed\n  because: of that", "do this"), error("it failed")):
        for other in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
            assert type(other) is error
            assert (str(other), other.hint, other.exit_code) == (str(made), made.hint, made.exit_code)


def test_a_path_is_a_path_and_what_json_has_not_is_an_error(project: Path) -> None:
    project.joinpath("requirements.txt").write_text("six\n")
    spec = ImageSpec(requirements=Path("requirements.txt"))  # type: ignore[arg-type]
    assert spec.tag == ImageSpec(requirements="requirements.txt").tag
    project.joinpath("file.py").write_text(
        "from pathlib import Path; from imagewright import ImageSpec; i = ImageSpec(requirements=Path('requirements.txt'))"
    )
    told = subprocess.run([sys.executable, "-m", "imagewright", "tag", "file.py"], capture_output=True, text=True)
    assert told.stdout.split() == [spec.tag], told.stderr
    with pytest.raises(SpecError, match="set"):
        ImageSpec(env={"A": {1}}).tag  # type: ignore[dict-item]


def test_a_failure_may_be_long(project: Path) -> None:
    with pytest.raises(SpecError) as raised:
        ImageSpec(env={f"{number} is no name of a variable": "" for number in range(2000)}).tag
    assert len(str(raised.value)) > 1 << 16


def test_what_begins_with_a_dash_is_a_file(project: Path) -> None:
    project.joinpath("-x.yaml").write_text("name: dashed\n")
    assert ImageSpec.from_yaml("-x.yaml").name == "dashed"


def test_no_answer_is_none_and_not_no(project: Path) -> None:
    assert ImageSpec(registry="localhost:1").exist() is None


def test_a_program_that_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEWRIGHT_PROGRAM", "/nowhere/imagewright")
    with pytest.raises(MachineError, match="/nowhere/imagewright") as raised:
        ImageSpec().tag
    assert "IMAGEWRIGHT_PROGRAM" in (raised.value.hint or "")
    told = subprocess.run([sys.executable, "-m", "imagewright", "doctor"], capture_output=True, text=True)
    assert told.returncode == 6
    assert told.stderr.startswith("error: cannot start /nowhere/imagewright") and "Traceback" not in told.stderr


def test_progress_is_shown_where_stderr_is_no_file(project: Path, unique: str) -> None:
    shown = io.StringIO()
    with redirect_stderr(shown):
        ImageSpec(name=unique, python_version="3.11", packages=["six"]).build()
    assert "six" in shown.getvalue() or unique in shown.getvalue()


@pytest.mark.parametrize("tell", [os.killpg, os.kill])
def test_ctrl_c_ends_the_program_and_is_a_keyboard_interrupt(
    tell: Callable[[int, int], None], project: Path, unique: str
) -> None:
    project.joinpath("wait.py").write_text(
        textwrap.dedent(
            f"""\
            from imagewright import ImageSpec
            try:
                ImageSpec(name="{unique}", python_version="3.11", commands=["echo begun >&2; sleep 600"]).build()
            except KeyboardInterrupt:
                print("interrupted")
            """
        )
    )
    process = subprocess.Popen(
        [sys.executable, "wait.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.rstrip().endswith("begun"):
            break
    # A terminal tells its whole foreground; others tell Python alone.
    tell(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert rest == "interrupted\n"


def test_threads_may_build_at_once(registry: str, unique: str, project: Path) -> None:
    specs = [ImageSpec(name=f"{unique}-{name}", python_version="3.11", packages=[name]) for name in ("six", "idna")]
    results = {}
    threads = [threading.Thread(target=lambda spec=spec: results.update({spec: spec.build().status})) for spec in specs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[spec] for spec in specs] == ["built", "built"]


def test_import_is_light() -> None:
    """Neither flytekit nor what is slow to import comes with the package."""
    code = "import sys; import imagewright; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"asyncio", "dataclasses", "hashlib", "inspect", "json", "platform", "subprocess", "tempfile", "typing"}
    heavy |= {"flytekit", "flyte", "urllib", "uv"}
    assert not heavy & set(modules)


def test_the_first_tag_comes_at_once(project: Path) -> None:
    """A process is started and a page of JSON is read, and no more: `cargo xtask bench python` says how long that takes."""
    spec = ImageSpec(packages=["six"])
    best = min(_seconds(lambda: ImageSpec(packages=["six"]).tag) for _ in range(5))
    assert spec.tag
    assert best < 0.25, best


def _seconds(what: object) -> float:
    start = time.perf_counter()
    what()  # type: ignore[operator]
    return time.perf_counter() - start


def test_the_package_has_a_version() -> None:
    from importlib.metadata import requires, version

    told = subprocess.run([sys.executable, "-m", "imagewright", "--version"], capture_output=True, text=True)
    assert version("imagewright") in told.stdout
    assert [need.split(">")[0] for need in requires("imagewright") or []] == ["uv"]
    assert imagewright.__doc__
