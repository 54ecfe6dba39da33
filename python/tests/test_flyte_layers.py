"""What becomes of each layer of a ``flyte.Image``."""

from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

flyte = pytest.importorskip("flyte")

from flyte._image import PythonWheels, UVScript, resolve_code_bundle_layer  # noqa: E402

from imagewright import ResolutionError, SpecError  # noqa: E402
from imagewright import _flyte, _flyte_names  # noqa: E402
from imagewright._flyte_layers import layers  # noqa: E402


def image() -> Any:
    return flyte.Image.from_base("localhost:1/base:1").clone(name="app", registry="localhost:1", extendable=True)


def lowered(of: Any, folder: Path) -> List[Dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    return layers(of, folder)


def test_packages_variables_commands_and_secrets(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "requirements.txt").write_text("six\n")
    (project / "script.py").write_text('# /// script\n# requires-python = ">=3.11"\n# dependencies = ["six"]\n# ///\n')
    monkeypatch.setenv("TOKEN", "t")
    of = (
        image()
        .with_pip_packages("six", "toolz", index_url="https://one/", extra_index_urls=["https://two/"], pre=True)
        .with_requirements(project / "requirements.txt", extra_args="--no-deps", secret_mounts=[flyte.Secret("token")])
        .with_apt_packages("git", secret_mounts=[flyte.Secret("apt", group="g", mount=Path("/etc/flyte/secrets"))])
        .with_env_vars({"A": "$B"})
        .with_workdir("/app")
        .with_commands(["make", "make install"])
    )
    script = flyte.Image.from_uv_script(project / "script.py", name="app", registry="localhost:1")
    assert lowered(of, project / "copies") == [
        {
            "packages": ["six", "toolz"],
            "pip_index": "https://one/",
            "pip_extra_index_url": ["https://two/"],
            "pip_extra_args": "--pre",
        },
        {
            "requirements": "requirements.txt",
            "pip_extra_args": "--no-deps",
            "pip_secret_mounts": [["env:TOKEN", "env:TOKEN"]],
        },
        {"apt_packages": ["git"], "pip_secret_mounts": [["/etc/secrets/g_apt", "/etc/flyte/secrets"]]},
        {"env": {"A": "$B"}},
        {"builder_options": {"working_directory": "/app"}},
        {"commands": ["make", "make install"]},
    ]
    assert lowered(script, project / "copies")[-1] == {"packages": ["six"]}


def test_what_debians_image_has_needs_no_command_for_its_user(project: Path) -> None:
    of = flyte.Image.from_debian_base(install_flyte=False, registry="localhost:1").with_workdir("/app")
    assert lowered(of, project / "copies") == [
        {"builder_options": {"user": "flyte"}},
        {"builder_options": {"working_directory": "/home/flyte"}},
        {
            "env": {
                "VIRTUAL_ENV": "/opt/venv",
                "PATH": "/opt/venv/bin:$PATH",
                "PYTHONPATH": "/root",
                "UV_LINK_MODE": "copy",
            }
        },
        {"apt_packages": ["build-essential", "ca-certificates"]},
        {"builder_options": {"working_directory": "/app"}},
        # As flyte's own builder ends.
        {"builder_options": {"working_directory": "/home/flyte"}},
    ]


def test_copies_leave_out_what_flyte_leaves_out(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = project / "src"
    (source / "data").mkdir(parents=True)
    (source / "main.py").write_text("import task\n")
    (source / "data" / "large.csv").write_text("1\n")
    (project / "other" / "src").mkdir(parents=True)
    (project / ".dockerignore").write_text("**/*.csv\n")
    monkeypatch.syspath_prepend(str(project))
    (project / "bundled_for_test.py").write_text("x = 1\n")
    __import__("bundled_for_test")
    of = (
        image()
        .with_dockerignore(project / ".dockerignore")
        .with_source_folder(source)
        .with_source_file(source / "main.py", "/opt/")
        .with_source_folder(project / "other" / "src", "/empty")
        .with_code_bundle()
    )
    of = resolve_code_bundle_layer(of, "none", project)
    copies = [fields["builder_options"]["copy"][0] for fields in lowered(of, project / "copies")]
    assert copies == [
        {"source": "src", "destination": "./src"},
        {"source": "main.py", "destination": "/opt/"},
        {"source": "empty", "destination": "/empty"},
        {"source": "code", "destination": "."},
    ]
    below = project / "copies"
    found = sorted(str(path.relative_to(below)) for path in below.rglob("*") if path.is_file())
    assert found == ["code/bundled_for_test.py", "main.py", "src/main.py"]


def test_projects_and_wheels(project: Path) -> None:
    for name in ("pyproject.toml", "uv.lock", "poetry.lock"):
        (project / name).write_text("")
    dist = project / "dist"
    dist.mkdir()
    for wheel in ("1.0-py3-none-any", "1.1-cp311-cp311-linux_x86_64", "1.1-cp311-cp311-manylinux_2_28_aarch64"):
        (dist / f"a_b-{wheel}.whl").touch()
    of = (
        image()
        .with_uv_project(project / "pyproject.toml")
        .with_uv_project(project / "pyproject.toml", extra_args="--no-dev")
        .with_poetry_project(project / "pyproject.toml", project_install_mode="install_project")
        .clone(addl_layer=PythonWheels(wheel_dir=dist, package_name="a-b"), extendable=True)
    )
    assert lowered(of, project / "copies") == [
        {"requirements": "uv.lock", "pip_extra_args": "--dev"},
        {"requirements": "uv.lock", "pip_extra_args": "--no-dev"},
        {"requirements": "poetry.lock", "builder_options": {"install_project": True}},
        {
            "packages": [
                f"a-b @ file://{dist}/a_b-1.1-cp311-cp311-linux_x86_64.whl ; platform_machine == 'x86_64'",
                f"a-b @ file://{dist}/a_b-1.1-cp311-cp311-manylinux_2_28_aarch64.whl ; platform_machine == 'aarch64'",
            ],
            "pip_extra_args": "--find-links dist",
        },
    ]


BARE = '[project]\nname = "bare"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = []\n'


def test_a_project_without_a_lock_gets_one(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = project / "app"
    app.mkdir()
    (app / "pyproject.toml").write_text(BARE)
    (app / "bare.py").write_text("")
    (app / "large.csv").write_text("1\n")
    (project / ".dockerignore").write_text("*.csv\n")
    (project / "script.py").write_text("# /// script\n# dependencies = ['six', 'file://app']\n# ///\n")
    copies = project / "copies"
    of = image().with_dockerignore(project / ".dockerignore").with_uv_project(app / "pyproject.toml")
    with caplog.at_level(logging.WARNING, logger="flyte"):
        _flyte_names.logger.addHandler(caplog.handler)
        assert lowered(of, copies) == [{"requirements": "copies/project/uv.lock", "pip_extra_args": "--dev"}]
    assert [record.message for record in caplog.records if "no uv.lock beside it" in record.message]
    assert sorted(path.name for path in copies.rglob("*")) == ["project", "pyproject.toml", "uv.lock"]
    # It is nobody else's: a later `uv sync` of the user's is not decided by it.
    assert not (app / "uv.lock").exists()

    # One that is elsewhere is taken to its project; a project that is installed is copied as flyte does it.
    elsewhere = project / "locks" / "app.lock"
    elsewhere.parent.mkdir()
    (copies / "project" / "uv.lock").rename(elsewhere)
    of = (
        image()
        .with_dockerignore(project / ".dockerignore")
        .with_uv_project(app / "pyproject.toml", elsewhere, project_install_mode="install_project")
        .clone(addl_layer=UVScript(script=project / "script.py"), extendable=True)
    )
    installed = {"pip_extra_args": "--dev", "builder_options": {"install_project": True}}
    assert lowered(of, project / "second") == [
        {"requirements": "second/project/uv.lock", **installed},
        {"packages": ["six"]},
        {"requirements": "second/project-/uv.lock", **installed},
    ]
    for copy in ("project", "project-"):
        found = sorted(path.name for path in (project / "second" / copy).iterdir())
        assert found == ["bare.py", "pyproject.toml", "uv.lock"]

    (app / "pyproject.toml").write_text(BARE.replace("[]", '["near"]\n[tool.uv.sources]\nnear = {path = "../near"}'))
    with pytest.raises(ResolutionError, match="cannot be locked") as caught:
        lowered(image().with_uv_project(app / "pyproject.toml"), project / "third")
    assert "near" in str(caught.value) and caught.value.hint == "run `uv lock` in the project"


def test_another_flyte_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("flyte._image._CREATE_FLYTE_USER_CMD")
    monkeypatch.delitem(sys.modules, "imagewright._flyte_names")
    with pytest.raises(ImportError, match=r"for flyte 2.8 to 2.12, and flyte \S+ differs .*_CREATE_FLYTE_USER_CMD"):
        importlib.import_module("imagewright._flyte_names")


def test_the_registry_of_a_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry, named, asked in [
        ("r.io", "app", "r.io/app"),
        ("r.io", "team/app", "r.io/team/app"),
        ("r.io", "ghcr.io/me/app", "ghcr.io/me/app"),
        ("r.io", "localhost:5000/app", "localhost:5000/app"),
        (None, "me/app", "me/app"),
    ]:
        monkeypatch.setattr(_flyte, "push_registry", lambda: registry)
        assert _flyte._in_registry(named) == asked


def test_what_is_not_done_is_named(project: Path) -> None:
    (project / "pixi.toml").write_text("")
    (project / "Dockerfile").write_text("FROM scratch\n")
    (project / "script.py").write_text("# /// script\n# [tool.pixi.dependencies]\n# gdal = '*'\n# ///\n")
    pixi = image().with_pixi_project(project / "pixi.toml")
    script = flyte.Image.from_pixi_script(project / "script.py", name="app", registry="localhost:1")
    file = flyte.Image.from_dockerfile(project / "Dockerfile", registry="localhost:1", name="app")
    for of, said in [
        (pixi, r"does not install \S+/pixi.toml yet: pixi is to come(.|\n)*hint: until then"),
        (script, r"does not install \S+/script.py yet: pixi is to come"),
        (file, r"is made by \S+/Dockerfile(.|\n)*hint: (.|\n)*builder `local`"),
        (flyte.Image.from_ref_name("custom").clone(name="app"), "has no base image"),
        (image().with_dockerignore(project / "none"), "is not there"),
    ]:
        with pytest.raises(SpecError, match=said):
            lowered(of, project / "copies")
