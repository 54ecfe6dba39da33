"""A laptop, continuous integration and the plugin agree on an image: who comes second builds and pushes nothing."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import os
import subprocess
import sys
import textwrap
import threading
import urllib.request
import zipfile
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

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
    tags = json.load(urllib.request.urlopen(f"http://{registry}/v2/{unique}/tags/list"))["tags"]
    # Such a tag lists what is attached to the image.
    [tag] = [tag for tag in tags if not tag.startswith("sha256-")]
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
