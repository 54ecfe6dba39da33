"""What becomes of each layer of a ``flyte.Image``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import pytest

flyte = pytest.importorskip("flyte")

from flyte._image import PythonWheels, resolve_code_bundle_layer  # noqa: E402

from imagewright import SpecError  # noqa: E402
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


def test_what_is_not_done_is_named(project: Path) -> None:
    (project / "pixi.toml").write_text("")
    (project / "Dockerfile").write_text("FROM scratch\n")
    pixi = image().with_pixi_project(project / "pixi.toml")
    file = flyte.Image.from_dockerfile(project / "Dockerfile", registry="localhost:1", name="app")
    for of, said in [
        (pixi, "does not do the layer PixiProject"),
        (file, "builder `local`"),
        (flyte.Image.from_ref_name("custom").clone(name="app"), "has no base image"),
        (image().with_dockerignore(project / "none"), "is not there"),
    ]:
        with pytest.raises(SpecError, match=said):
            lowered(of, project / "copies")
