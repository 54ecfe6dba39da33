"""A laptop, continuous integration and the plugin agree on an image: who comes second builds and pushes nothing."""

from __future__ import annotations

import base64
import hashlib
import http.server
import importlib.metadata
import json
import os
import shlex
import subprocess
import sys
import textwrap
import threading
import urllib.request
import zipfile
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterator

import flytekit
import pytest
from imagewright import _program
from pyflyte import tags
from test_pythons import pythons

pytestmark = pytest.mark.usefixtures("network")


class Index:
    """A package index (PEP 503) on this machine, which more can be published to."""

    def __init__(self, folder: Path) -> None:
        self._files = folder / "simple" / "moving"
        self._files.mkdir(parents=True)

        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("localhost", 0), partial(Quiet, directory=str(folder)))
        self.url = f"http://localhost:{self.server.server_address[1]}/simple"

    def publish(self, version: str) -> None:
        about = f"moving-{version}.dist-info"
        files = {
            "moving.py": f"VERSION = {version!r}\n",
            f"{about}/METADATA": f"Metadata-Version: 2.1\nName: moving\nVersion: {version}\n",
            f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        digests = {name: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()) for name, text in files.items()}
        lines = [f"{name},sha256={digest.decode().rstrip('=')},{len(files[name])}" for name, digest in digests.items()]
        files[f"{about}/RECORD"] = "\n".join([*lines, f"{about}/RECORD,,", ""])
        with zipfile.ZipFile(self._files / f"moving-{version}-py3-none-any.whl", "w") as wheel:
            for name, text in files.items():
                wheel.writestr(name, text)
        names = sorted(path.name for path in self._files.glob("*.whl"))
        links = "".join(f'<a href="{name}">{name}</a>' for name in names)
        self._files.joinpath("index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "index")
    index.publish("1.0")
    thread = threading.Thread(target=index.server.serve_forever, daemon=True)
    thread.start()
    yield index
    index.server.shutdown()
    index.server.server_close()


class Host:
    """A machine: an interpreter with flytekit and this package, and a store. What it builds is written down."""

    def __init__(self, python: str, folder: Path) -> None:
        folder.mkdir()
        self.python = python
        self._log = folder / "built.jsonl"
        program = folder / "imagewright"
        program.write_text(
            f"#!/bin/bash\nset -o pipefail\n{shlex.quote(_program.find())} \"$@\" | tee -a {shlex.quote(str(self._log))}\n"
        )
        program.chmod(0o755)
        self.variables = {"IMAGEWRIGHT_PROGRAM": str(program)}
        self.built: Dict[str, Any] = {}

    def register(self, module: str, **variables: str) -> Dict[str, str]:
        """Takes the tasks of a module as ``pyflyte register`` does; what became of their images, by repository."""
        self._log.write_text("")
        words = ["-m", "flytekit.clis.sdk_in_container.pyflyte", "--pkgs", module, "package", "--source", ".", "--fast"]
        run(self.python, *words, "--output", f"{self._log}.tgz", "--force", **self.variables, **variables)
        self.built = {}
        for line in self._log.read_text().splitlines():
            told = json.loads(line)
            assert told["status"] != "exists" or told["bytes_uploaded"] == 0
            self.built[told["image"].rsplit("/")[-1].split(":")[0]] = told
        return {name: told["status"] for name, told in self.built.items()}


def another_python(folder: Path, flytekit: str) -> str:
    """The interpreter of an environment as ``pip install flytekit imagewright`` makes it with another Python."""
    uv = str(Path(sys.executable).with_name("uv"))
    # Those that this flytekit knows.
    others = [program for minor, program in pythons() if minor in ("3.10", "3.11", "3.12")]
    if not others:
        pytest.skip("there is no Python from 3.10 to 3.12 besides this one")
    run(uv, "venv", "--quiet", "--python", others[-1], str(folder))
    python = folder / "bin" / "python"
    run(uv, "pip", "install", "--quiet", "--python", str(python), f"flytekit=={flytekit}")
    [site] = folder.glob("lib/python3.*/site-packages")
    site.joinpath("imagewright").symlink_to(Path(_program.__file__).parent)
    installed = importlib.metadata.distribution("imagewright")
    [about] = {Path(str(file.locate())).parent for file in installed.files or () if file.name == "METADATA"}
    site.joinpath(about.name).symlink_to(about)
    return str(python)


def digest(registry: str, image: str) -> str:
    name, tag = image[len(registry) + 1 :].rsplit(":", 1)
    request = urllib.request.Request(
        f"http://{registry}/v2/{name}/manifests/{tag}",
        method="HEAD",
        headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
    )
    with urllib.request.urlopen(request) as answer:
        return str(answer.headers["Docker-Content-Digest"])


def run(*words: str, **variables: str) -> str:
    told = subprocess.run(words, env={**os.environ, **variables}, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


def build(*words: str, **variables: str) -> Dict[str, Any]:
    told: Dict[str, Any] = json.loads(run(sys.executable, "-m", "imagewright", "build", *words, "--json", **variables))
    return told


def test_who_comes_second_overwrites_nothing(registry: str, unique: str, index: Index, project: Path) -> None:
    spec = {
        "name": unique,
        "registry": registry,
        "python_version": "3.11",
        "packages": ["moving"],
        "pip_extra_index_url": [index.url],
    }
    project.joinpath("wf.py").write_text(
        textwrap.dedent(
            f"""\
            import flytekit

            image = flytekit.ImageSpec(**{spec!r})

            @flytekit.task(container_image=image)
            def hello() -> str:
                return "hello"
            """
        )
    )
    project.joinpath("image.json").write_text(json.dumps(spec))

    # A laptop registers: the plugin builds.
    package = ["-m", "flytekit.clis.sdk_in_container.pyflyte", "--pkgs", "wf", "package", "--source", ".", "--fast"]
    run(sys.executable, *package, "--output", "first.tgz")
    name = f"{registry}/{unique}"
    [tag] = tags(registry, unique)
    made = digest(registry, f"{name}:{tag}")

    # The index moves.
    index.publish("1.1")
    other = {"IMAGEWRIGHT_STORE": str(project / "other")}
    # Continuous integration, which has never built: by the plugin, from the file, from JSON, with another Python.
    run(sys.executable, *package, "--output", "second.tgz", **other)
    for words, variables in (
        (["wf.py"], other),
        (["image.json"], other),
        (["image.json"], {**other, "IMAGEWRIGHT_PYTHON": "3.12"}),
        (["wf.py"], {**other, "PYTHONHASHSEED": "7"}),
    ):
        told = build(*words, **variables)
        assert (told["status"], told["digest"], told["bytes_uploaded"]) == ("exists", made, 0), words
    assert digest(registry, f"{name}:{tag}") == made

    # Made again, it is the same: the versions are those of the lock that the image has, not the newest.
    assert build("image.json", "--force", **other)["status"] == "built"
    shown = run(sys.executable, "-m", "imagewright", "inspect", f"{name}:{tag}", **other)
    assert "moving 1.0" in shown


#: Of a host that has not been upgraded.
OLDER = "1.16.19"


@pytest.fixture
def machines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder beside the project, which pyflyte packs as it is."""
    return tmp_path_factory.mktemp("machines")


def test_hosts_of_other_versions_take_no_turns(
    registry: str, unique: str, index: Index, project: Path, machines: Path
) -> None:
    specs: Dict[str, Dict[str, Any]] = {
        name: {
            "name": f"{unique}-{name}",
            "registry": registry,
            "packages": ["moving"],
            "pip_extra_index_url": [index.url],
            **more,
        }
        for name, more in (("fixed", {"python_version": "3.11"}), ("unset", {}))
    }
    for name, spec in specs.items():
        project.joinpath(f"{name}.json").write_text(json.dumps(spec))
        project.joinpath(f"{name}.py").write_text(
            f"import flytekit\n\n\n@flytekit.task(container_image=flytekit.ImageSpec(**{spec!r}))\n"
            f"def of_{name}() -> None: ...\n"
        )
    project.joinpath("both.py").write_text("from fixed import of_fixed\nfrom unset import of_unset\n")
    old = Host(another_python(machines / "environment", OLDER), machines / "old")
    new = Host(sys.executable, machines / "new")
    fixed, unset = (spec["name"] for spec in specs.values())

    def made() -> Dict[str, str]:
        found = {}
        for name in (fixed, unset):
            [tag] = tags(registry, name)
            found[name] = digest(registry, f"{registry}/{name}:{tag}")
        return found

    # Who has the newer flytekit makes the image again, once.
    assert old.register("fixed") == {fixed: "built"}
    assert new.register("both") == {fixed: "stale-rebuilt", unset: "built"}
    first = made()
    index.publish("1.1")
    # Machines that have built nothing, one with the older flytekit and another Python; then the command line, with none.
    for host, store in ((old, "old-store"), (new, "new-store")):
        host.variables["IMAGEWRIGHT_STORE"] = str(machines / store)
        assert host.register("both") == {fixed: "exists", unset: "exists"}
    for name in specs:
        assert build(f"{name}.json", **old.variables)["status"] == "exists"
    assert made() == first
    [tag] = tags(registry, unset)
    shown = run(sys.executable, "-m", "imagewright", "inspect", f"{registry}/{unset}:{tag}")
    assert f"flytekit {flytekit.__version__}" in shown and "moving 1.0" in shown
    assert f"python3.{sys.version_info.minor}" in shown


def test_flytekits_variables_hold_and_its_version_is_the_specs(
    registry: str, unique: str, project: Path, machines: Path
) -> None:
    spec = {
        "name": unique,
        "registry": registry,
        "python_version": "3.11",
        "packages": [f"flytekit=={OLDER}"],
    }
    project.joinpath("own.py").write_text(
        f"import flytekit\n\n\n@flytekit.task(container_image=flytekit.ImageSpec(**{spec!r}))\ndef own() -> None: ...\n"
    )
    host = Host(sys.executable, machines / "host")
    assert host.register("own", FLYTE_PUSH_IMAGE_SPEC="0") == {unique: "built"}
    packages = [package for layer in host.built[unique]["layers"] for package in layer["packages"]]
    assert [package for package in packages if package.startswith("flytekit ")] == [f"flytekit {OLDER}"]
    assert host.register("own", FLYTE_PUSH_IMAGE_SPEC="0") == {unique: "exists"}
    assert tags(registry, unique) == [], "nothing is pushed"
    assert host.register("own", FLYTE_PUSH_IMAGE_SPEC="0", FLYTE_FORCE_PUSH_IMAGE_SPEC="1") == {unique: "built"}
    assert host.register("own") == {unique: "built"}, "it is not in the registry yet"
    assert len(tags(registry, unique)) == 1
    assert host.register("own", FLYTE_FORCE_PUSH_IMAGE_SPEC="1") == {unique: "built"}
