"""Every kind of layer of a ``flyte.Image``, built by ``flyte.build`` and asked inside of its image."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import pytest
from images import blob, for_two_platforms, manifest, put, rename
from index import served, wheel

flyte = pytest.importorskip("flyte")

from flyte._image import AptPackages, PythonWheels, resolve_code_bundle_layer  # noqa: E402

from imagewright import _program  # noqa: E402
from imagewright._flyte import ImagewrightImageChecker  # noqa: E402
from imagewright._flyte_names import logger  # noqa: E402

#: The Python of the tests' base.
PYTHON = (3, 11)

SETTINGS = """\
[registries.mirrors]
"ghcr.io" = ["{registry}/{unique}"]
"docker.io" = ["{registry}/{unique}"]
"""

POEM = """\
[project]
name = "poem"
version = "1.0"
requires-python = ">=3.9"
dependencies = ["iniconfig==2.0.0"]

[tool.poetry]
packages = [{ include = "poem.py" }]

[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""

#: The digest of its wheel.
INICONFIG = "b6a85871a79d2e3b22d2d1b94ac2824226a63c6b741c88f7ae975f18b6778374"

#: As Poetry 2.1 writes it.
POEM_LOCK = """\
[[package]]
name = "iniconfig"
version = "2.0.0"
description = "brain-dead simple config-ini parsing"
optional = false
python-versions = ">=3.7"
groups = ["main"]
files = [
    {{file = "iniconfig-2.0.0-py3-none-any.whl", hash = "sha256:{wheel}"}},
]

[metadata]
lock-version = "2.1"
python-versions = ">=3.9"
content-hash = "{hash}"
"""

INSIDE = """\
import importlib.metadata, json, os, pathlib, pwd, shutil, sys
import bundled, poem, local, sibling, secret, toolz
def files(top):
    return sorted(str(path.relative_to(top)) for path in pathlib.Path(top).rglob("*.*") if "pycache" not in str(path))
print(json.dumps({
    "versions": {name: importlib.metadata.version(name) for name in ("iniconfig", "poem", "local", "secret", "toolz")},
    "bundled": bundled.X,
    "code": [str(path) for path in pathlib.Path(".").glob("*.py")],
    "copied": files("/opt/data"),
    "owner": pathlib.Path("/opt/data/kept.txt").owner(),
    "tree": shutil.which("tree"),
    "user": pwd.getpwuid(os.getuid()).pw_name,
    "home": pathlib.Path.home().owner(),
    "directory": os.getcwd(),
    "token": os.environ.get("TOKEN"),
    "said": pathlib.Path("/opt/said").read_text(),
    "pythonpath": os.environ["PYTHONPATH"],
}))
"""


@pytest.fixture
def flytes(project: Path, registry: str, network: None, unique: str) -> Path:
    """A working directory in which flyte uses imagewright, which has flyte's own base from the tests' registry."""
    bases = os.environ.get("IMAGEWRIGHT_TEST_BASES")
    if not bases:
        pytest.skip("IMAGEWRIGHT_TEST_BASES is not set")
    for version in {PYTHON, sys.version_info[:2]}:
        host, name = flyte.Image.from_debian_base(python_version=version).base_image.split("/", 1)
        assert host == "ghcr.io"
        rename(f"{bases}/debian-python:bookworm", f"{registry}/{unique}/{name}")
    (project / "imagewright.toml").write_text(SETTINGS.format(registry=registry, unique=unique))
    flyte.init(root_dir=project, image_builder="imagewright")
    return project


def poem(folder: Path) -> Path:
    """A project of Poetry's, with its lock."""
    folder.mkdir()
    asked = {"dependencies": ["iniconfig==2.0.0"], "requires-python": ">=3.9"}
    relevant = json.dumps({"project": asked, "tool": {"poetry": {}}}, sort_keys=True)
    (folder / "poetry.lock").write_text(
        POEM_LOCK.format(hash=hashlib.sha256(relevant.encode()).hexdigest(), wheel=INICONFIG)
    )
    (folder / "poem.py").write_text("LINES = 14\n")
    (folder / "pyproject.toml").write_text(POEM)
    return folder / "pyproject.toml"


def inside(image: str, program: str) -> Dict[str, Any]:
    answer: Dict[str, Any] = json.loads(_program.call(["run", image, "--", "python", "-c", program]))
    return answer


def test_every_kind_of_layer(flytes: Path, registry: str, unique: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret-word")
    monkeypatch.syspath_prepend(str(flytes))
    (flytes / "requirements.txt").write_text("toolz==1.0.0\n")
    (flytes / "bundled.py").write_text("X = 21\n")
    (flytes / "unused.py").write_text("")
    (flytes / ".dockerignore").write_text("**/*.csv\n")
    data = flytes / "data"
    data.mkdir()
    (data / "kept.txt").write_text("1\n")
    (data / "left.csv").write_text("1\n")
    wheel(flytes / "dist", "local", "1.0")
    wheel(flytes / "dist", "local", "1.1", "sibling", "toolz")
    wheel(flytes / "dist", "sibling", "1.0")
    wheel(flytes / "private", "secret", "2.0")
    __import__("bundled")
    image = flyte.Image.from_debian_base(
        python_version=PYTHON, registry=registry, name=unique, platform=("linux/amd64",)
    )
    for layer in flyte.Image.from_debian_base(python_version=PYTHON, install_flyte=False)._layers:
        # A compiler is much to download; the image has another package.
        if not isinstance(layer, AptPackages):
            image = image.clone(addl_layer=layer)
    with served(flytes / "private", "s3cret-word") as index:
        image = (
            image.with_apt_packages("tree")
            .with_requirements(flytes / "requirements.txt")
            .with_poetry_project(poem(flytes / "poem"), project_install_mode="install_project")
            .clone(addl_layer=PythonWheels(wheel_dir=flytes / "dist", package_name="local"))
            .with_pip_packages(
                "secret", extra_index_urls=[f"http://me:${{TOKEN}}@{index}/simple"], secret_mounts=["token"]
            )
            .with_dockerignore(flytes / ".dockerignore")
            .with_source_folder(data, "/opt/data")
            .with_commands(["printf %s $TOKEN | wc -c > /opt/said"], secret_mounts=[flyte.Secret("token")])
            .with_code_bundle()
        )
        image = resolve_code_bundle_layer(image, "none", flytes)
        assert flyte.build(image).uri == image.uri
    sys.modules.pop("bundled")
    assert inside(image.uri, INSIDE) == {
        "versions": {"iniconfig": "2.0.0", "poem": "1.0", "local": "1.1", "secret": "2.0", "toolz": "1.0.0"},
        "bundled": 21,
        "code": ["bundled.py"],
        "copied": ["kept.txt"],
        "owner": "flyte",
        "tree": "/usr/bin/tree",
        "user": "flyte",
        "home": "flyte",
        "directory": "/home/flyte",
        "token": None,
        "said": "11\n",
        "pythonpath": "/root",
    }
    told = _program.call(["inspect", image.uri, "--json"])
    assert "s3cret-word" not in told


def test_two_platforms_and_what_is_missing(flytes: Path, registry: str, unique: str) -> None:
    bases = os.environ["IMAGEWRIGHT_TEST_BASES"]
    base = f"{registry}/{unique}/both:1"
    for_two_platforms(f"{bases}/debian-python:bookworm", base)
    both = flyte.Image.from_base(base).clone(
        registry=registry, name=unique, python_version=PYTHON, platform=("linux/amd64", "linux/arm64"), extendable=True
    )
    both = both.with_pip_packages("markupsafe==2.1.5")
    flyte.build(both)
    listed = {part["platform"]["architecture"]: part["digest"] for part in manifest(both.uri)["manifests"]}
    assert set(listed) == {"amd64", "arm64"}
    repository, tag = both.uri.rsplit(":", 1)
    parts = {name: manifest(f"{repository}@{part}") for name, part in listed.items()}
    for name, part in parts.items():
        config = json.loads(blob(both.uri, part["config"]["digest"]))
        assert config["architecture"] == name and f"_F_IMG_ID={both.uri}" in config["config"]["Env"]
    assert parts["amd64"]["layers"][-1] != parts["arm64"]["layers"][-1]

    def exists(platform: Tuple[str, ...], repository: str = repository) -> Optional[str]:
        return asyncio.run(ImagewrightImageChecker.image_exists(repository, tag, platform))

    assert exists(("linux/amd64", "linux/arm64")) == both.uri == exists(("linux/arm64",))
    assert exists(("linux/amd64",), "localhost:1/app") is None, "nobody knows: it is built, which says why not"
    # An image for one of them alone.
    put(both.uri, json.dumps(parts["amd64"]).encode(), parts["amd64"]["mediaType"])
    assert exists(("linux/amd64",)) == both.uri
    assert exists(("linux/amd64", "linux/arm64")) is None


def test_the_example_runs_its_task(flytes: Path, registry: str, unique: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(__file__).parents[2] / "examples" / "flyte2"
    monkeypatch.syspath_prepend(str(folder))
    example = importlib.import_module("main")
    sys.modules.pop("main")
    image = (
        # The base of the tests has no flyte, and is for one platform.
        example.image.clone(
            registry=registry, name=unique, python_version=PYTHON, platform="linux/amd64", extendable=True
        )
        .with_pip_packages(f"flyte=={flyte.__version__}")
        .with_source_file(folder / "main.py", "/opt/")
    )
    flyte.build(image)
    program = (
        "import json, os, sys; sys.path.insert(0, '/opt'); import main; "
        "print(json.dumps([main.newest.func(['1.9', '1.10']), os.environ['LOG_LEVEL'], open('/opt/settings.toml').read()]))"
    )
    told = json.loads(_program.call(["run", image.uri, "--", "python", "-c", program]))
    assert told == ["1.10", "info", (folder / "settings.toml").read_text()]


YAML = """\
name: {name}
registry: {registry}
tag_format: yaml
base_image: {base}
python_version: "3.11"
builder_options: {{layout: flyte, commands: separate}}
layers:
  - requirements: requirements.txt
  - env: {{GREETING: hello}}
  - commands: ["echo $GREETING > /opt/said", "touch /opt/touched"]
  - packages: [six==1.16.0]
  - builder_options: {{working_directory: /opt}}
"""


def test_the_same_spec_in_yaml_is_the_same_recipe(flytes: Path, registry: str, unique: str) -> None:
    base = f"{os.environ['IMAGEWRIGHT_TEST_BASES']}/debian-python:bookworm"
    (flytes / "requirements.txt").write_text("toolz==1.0.0\n")
    image = (
        flyte.Image.from_base(base)
        .clone(registry=registry, name=unique, python_version=PYTHON, extendable=True)
        .with_requirements("requirements.txt")
        .with_env_vars({"GREETING": "hello"})
        .with_commands(["echo $GREETING > /opt/said", "touch /opt/touched"])
        .with_pip_packages("six==1.16.0")
        .with_workdir("/opt")
    )
    flyte.build(image)
    (flytes / "image.yaml").write_text(YAML.format(name=unique, registry=registry, base=base))
    (flytes / "fields.json").write_text(json.dumps(fields(unique, registry, base)))
    built = _program.call(["build", "image.yaml", "fields.json", "--progress", "none"]).splitlines()
    ours, written, plain = (manifest(name) for name in [image.uri, *built])
    assert ours["layers"] == written["layers"]
    # What the two say of themselves differs in the id, and in the names of what is below.
    said = [json.loads(blob(image.uri, told["config"]["digest"])) for told in (ours, written)]
    for config in (it["config"] for it in said):
        config["Env"] = [line for line in config["Env"] if not line.startswith("_F_IMG_ID=")]
        del config["Labels"]
    assert said[0]["rootfs"] == said[1]["rootfs"] and said[0]["config"] == said[1]["config"]
    # Without Flyte 2's layout, order and variables the packages are the same layers.
    packages = {layer["digest"] for layer in plain["layers"]} & {layer["digest"] for layer in ours["layers"]}
    assert len(packages) > len(manifest(base)["layers"])


def fields(name: str, registry: str, base: str) -> Dict[str, Any]:
    """The first layer as the fields of a spec for flytekit."""
    return {
        "name": name,
        "registry": registry,
        "tag_format": "fields",
        "base_image": base,
        "python_version": "3.11",
        "requirements": "requirements.txt",
    }


def test_what_fails_in_the_background_is_logged(
    flytes: Path, registry: str, unique: str, caplog: pytest.LogCaptureFixture
) -> None:
    image = flyte.Image.from_base("localhost:1/base:1").clone(
        name=unique, registry=registry, python_version=PYTHON, extendable=True
    )
    broken = [image.with_pip_packages("six"), image.with_dockerignore(flytes / "none")]
    logger.addHandler(caplog.handler)
    try:
        for image in broken:
            assert flyte.build(image, wait=False).uri == image.uri
            for thread in threading.enumerate():
                if thread.name == image.uri:
                    thread.join()
    finally:
        logger.removeHandler(caplog.handler)
    said = [record.getMessage() for record in caplog.records if "was not built" in record.getMessage()]
    assert len(said) == 2 and "localhost:1" in said[0] and "none" in said[1]
