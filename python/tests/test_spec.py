"""``imagewright.ImageSpec`` is flytekit's class: its fields, checks, identity and methods, also in an image without flytekit."""

from __future__ import annotations

import base64
import csv
import dataclasses
import doctest
import hashlib
import importlib
import importlib.metadata
import inspect
import io
import pickle
import pydoc
import subprocess
import sys
import zipfile
from copy import deepcopy
from pathlib import Path
from typing import Any, Dict, List

import flytekit
import flytekit.constants
import imagewright
import pytest
from flytekit.core.context_manager import ExecutionState, FlyteContextManager
from imagewright import CopyFileDetection, ImageSpec, _client_wheel, _copy_mode, _spec

#: Every field, as a caller could give it; each is tried alone, and all together.
FIELDS: Dict[str, Any] = {
    "name": "Training",
    "python_version": "3.11",
    "builder": "default",
    "env": {"A": "1", "B": "日本"},
    "registry": "LOCALHOST:5000/team",
    "packages": ["numpy", "pandas>=2"],
    "conda_packages": ["gxx_linux-64"],
    "conda_channels": ["nvidia"],
    "requirements": "requirements.txt",
    "apt_packages": ["git"],
    "cuda": "12.1",
    "cudnn": "8",
    "base_image": "python:3.11-slim",
    "platform": "linux/arm64",
    "pip_index": "https://index.example/simple",
    "pip_extra_index_url": ["https://extra.example/simple"],
    "pip_secret_mounts": [("secret", "/run/secret")],
    "pip_extra_args": "--pre",
    "registry_config": "config.json",
    "entrypoint": ["/bin/sh", "-c"],
    "commands": ["echo 'it''s'", 'echo "quoted"', "printf '\\n'"],
    "tag_format": "{spec_hash}-dev",
    "copy": ["a.txt"],
    "python_exec": "/usr/bin/python3",
    "runtime_packages": ["ruff"],
    "builder_options": {"bytecode": False},
    "builder_config": {"uv_image": "example/uv"},
}


@pytest.fixture
def files(project: Path) -> Path:
    project.joinpath("requirements.txt").write_text("six\n")
    project.joinpath("a.txt").write_text("a\n")
    return project


def test_fields_and_defaults_are_flytekits() -> None:
    def of(cls: Any) -> List[Any]:
        return [(field.name, field.default) for field in dataclasses.fields(cls)]

    assert of(ImageSpec) == of(flytekit.ImageSpec)


def test_methods_are_flytekits_and_take_what_flytekits_take() -> None:
    for name, theirs in inspect.getmembers(flytekit.ImageSpec):
        if name.startswith("_"):
            continue
        ours = inspect.getattr_static(ImageSpec, name)
        if callable(theirs):
            names = list(inspect.signature(theirs).parameters)
            assert list(inspect.signature(getattr(ImageSpec, name)).parameters) == names, name
        else:
            assert not callable(ours), name


def test_what_is_public_is_listed() -> None:
    assert imagewright.__all__ == [
        "BuildResult",
        "CopyFileDetection",
        "ImageSpec",
        "ImagewrightError",
        "InternalError",
        "MachineError",
        "NetworkError",
        "Plan",
        "ResolutionError",
        "SpecError",
        "StepError",
    ]
    for name in imagewright.__all__:
        assert getattr(imagewright, name).__doc__


@pytest.mark.parametrize("field", [*FIELDS, "all", "nested", "nothing"])
def test_identity_is_flytekits(field: str, files: Path) -> None:
    chosen = {"all": FIELDS, "nothing": {}, "nested": {}}.get(field, {field: FIELDS.get(field)})
    # No builder is named: flytekit puts that of the highest priority there, which is in no id.
    ours, theirs = ImageSpec(**deepcopy(chosen)), flytekit.ImageSpec(**deepcopy(chosen))
    if field == "nested":
        ours = ImageSpec(base_image=ImageSpec(name="base", packages=["six"]), packages=["idna"])
        theirs = flytekit.ImageSpec(
            base_image=flytekit.ImageSpec(name="base", packages=["six"]), packages=["idna"]
        )
    assert ours.id == theirs.id
    if field != "copy" and field != "all":
        assert ours.tag == theirs.tag
        assert ours.image_name() == theirs.image_name()


def test_the_tag_has_what_files_have(files: Path) -> None:
    def tags() -> List[str]:
        fields = {"copy": ["a.txt"], "requirements": "requirements.txt"}
        ours, theirs = ImageSpec(**fields), flytekit.ImageSpec(**fields)  # type: ignore[arg-type]
        assert ours.tag == theirs.tag
        return [ours.tag]

    before = tags()
    files.joinpath("requirements.txt").write_text("idna\n")
    assert tags() != before


@pytest.mark.parametrize("mode", list(flytekit.constants.CopyFileDetection))
@pytest.mark.parametrize("root", [".", "absolute"])
def test_the_tag_of_copied_source_is_flytekits(
    mode: flytekit.constants.CopyFileDetection, root: str, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.joinpath("copied_module.py").write_text("a = 1\n")
    monkeypatch.syspath_prepend(files)
    monkeypatch.delitem(sys.modules, "copied_module", raising=False)
    importlib.import_module("copied_module")
    root = str(files) if root == "absolute" else root
    ours = ImageSpec(source_root=root, source_copy_mode=CopyFileDetection[mode.name])

    def tag() -> str:
        theirs = flytekit.ImageSpec(source_root=root, source_copy_mode=mode)
        assert (ours.id, ours.tag) == (theirs.id, theirs.tag)
        return ours.tag

    before = tag()
    files.joinpath("copied_module.py").write_text("a = 2\n")
    # flytekit finds loaded modules below an absolute folder only.
    copies = mode.name == "ALL" or (mode.name == "LOADED_MODULES" and root != ".")
    assert (tag() != before) == copies
    files.joinpath("image.yaml").write_text(ours.to_yaml())
    again = ImageSpec.from_yaml("image.yaml")
    assert again == ours and (again.id, again.tag) == (ours.id, ours.tag)


@pytest.mark.parametrize(
    "fields",
    [
        {"packages": "numpy"},
        {"packages": [1]},
        {"apt_packages": ("git",)},
        {"commands": "true"},
        {"entrypoint": "sh"},
        {"runtime_packages": {"a": 1}},
        {"pip_extra_index_url": "https://index.example"},
        {"pip_secret_mounts": [["a", "b"]]},
        {"pip_secret_mounts": "a"},
        {"builder_options": ["a"]},
        {"registry": "not a registry"},
        {"registry": "https://ghcr.io"},
    ],
)
def test_wrong_types_are_flytekits_errors(fields: Dict[str, Any]) -> None:
    with pytest.raises(ValueError) as ours:
        ImageSpec(**fields)
    with pytest.raises(ValueError) as theirs:
        flytekit.ImageSpec(**fields)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize(
    "fields", [{"name": None}, {"registry": 5000}, {"base_image": 3}, {"source_copy_mode": "al"}], ids=str
)
def test_wrong_types_that_flytekit_stumbles_over_are_errors_too(fields: Dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(fields))} must be a"):
        ImageSpec(**fields)


def test_what_a_caller_passed_is_never_changed() -> None:
    packages, options = ["numpy"], {"a": {"b": [1]}}
    spec = ImageSpec(packages=packages, builder_options=options)
    more = spec.with_packages("pandas").with_builder_options({"c": 1})
    assert (packages, options) == (["numpy"], {"a": {"b": [1]}})
    assert spec.packages == ["numpy"] and more.packages == ["numpy", "pandas"]
    packages.append("six")
    options["a"]["b"].append(2)
    assert spec == ImageSpec(packages=["numpy"], builder_options={"a": {"b": [1]}})
    pinned = ["pytest"]
    mine = ["six"]
    assert ImageSpec.from_env(packages=mine, pinned_packages=pinned).packages == ["six", f"pytest=={pytest.__version__}"]
    assert mine == ["six"]


@pytest.mark.parametrize("method", ["packages", "apt_packages", "commands", "copy", "runtime_packages"])
def test_with_methods_do_as_flytekits_do(method: str) -> None:
    for values in (["b"], ["b", "c"], *([] if method == "runtime_packages" else ["b"])):
        ours = getattr(ImageSpec(**{method: ["a"]}), f"with_{method}")(values)
        theirs = getattr(flytekit.ImageSpec(**{method: ["a"]}), f"with_{method}")(values)
        assert getattr(ours, method) == getattr(theirs, method)
        assert getattr(getattr(ImageSpec(), f"with_{method}")(values), method)


def test_from_env_is_flytekits() -> None:
    ours = ImageSpec.from_env(name="a", pinned_packages=["pytest"], packages=["six"])
    theirs = flytekit.ImageSpec.from_env(name="a", pinned_packages=["pytest"], packages=["six"])
    assert ours.id == theirs.id
    assert ours.python_version == f"{sys.version_info.major}.{sys.version_info.minor}"
    with pytest.raises(ValueError, match="python_version can not be used with `from_env`"):
        ImageSpec.from_env(python_version="3.11")


def test_a_spec_can_be_copied_compared_pickled_and_be_a_key() -> None:
    spec = ImageSpec(name="a", packages=["six"]).force_push()
    for other in (deepcopy(spec), pickle.loads(pickle.dumps(spec)), dataclasses.replace(spec)):
        assert other == spec and hash(other) == hash(spec) and other.id == spec.id
        assert type(other) is ImageSpec
    assert spec != ImageSpec(name="b", packages=["six"])


def test_is_container_without_flytekit_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ImageSpec(packages=["six"])
    assert spec.is_container()
    monkeypatch.setenv("FLYTE_INTERNAL_EXECUTION_ID", "f1")
    assert not spec.is_container()
    monkeypatch.setenv("_F_IMG_ID", spec.id)
    assert spec.is_container()
    monkeypatch.setenv("_F_IMG_ID", "another")
    monkeypatch.delenv("FLYTE_INTERNAL_EXECUTION_ID")
    assert not spec.is_container()


@pytest.mark.parametrize("image", [None, "own", "another"])
def test_is_container_in_an_execution_is_flytekits(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = ImageSpec(packages=["six"]), flytekit.ImageSpec(packages=["six"])
    # What a container of an execution has; flytekit sets its mode from it.
    monkeypatch.setenv("FLYTE_INTERNAL_EXECUTION_ID", "f1")
    if image:
        monkeypatch.setenv("_F_IMG_ID", theirs.id if image == "own" else image)
    context = FlyteContextManager.current_context()
    state = context.execution_state
    assert state is not None
    mode = state.with_params(mode=ExecutionState.Mode.TASK_EXECUTION)
    with FlyteContextManager.with_context(context.with_execution_state(mode)):
        assert ours.is_container() == theirs.is_container() == (image == "own")


def test_source_copy_mode_is_flytekits_enumeration() -> None:
    assert [mode.name for mode in CopyFileDetection] == [mode.name for mode in flytekit.constants.CopyFileDetection]
    assert ImageSpec(source_root=".").source_copy_mode is CopyFileDetection.LOADED_MODULES
    theirs = ImageSpec(source_copy_mode=flytekit.constants.CopyFileDetection.ALL)  # type: ignore[arg-type]
    assert theirs.source_copy_mode is CopyFileDetection.ALL


def test_a_spec_is_not_changed_but_by_flytekit() -> None:
    spec = ImageSpec(packages=["six"])
    for name, words in {
        "packages": r"spec.with_packages\(...\)",
        "registry": r"dataclasses.replace\(spec, registry=...\)",
        "package": "no field `package`",
        "id": "id",
    }.items():
        with pytest.raises(AttributeError, match=words):
            setattr(spec, name, ["idna"])
    before = spec.id
    spec.base_image, spec.source_root, spec.source_copy_mode = "debian:12", ".", CopyFileDetection.ALL
    assert spec.id == before and spec.packages == ["six"]
    # What the builders of others do with the copy that they get is their affair.
    other = ImageSpec(builder="envd")
    other.packages = []


def test_it_is_a_dataclass_also_before_dataclasses_is_imported() -> None:
    code = """
import sys
from imagewright import ImageSpec
spec = ImageSpec(name="a", packages=["six"])
assert "dataclasses" not in sys.modules and "typing" not in sys.modules
import dataclasses, inspect
assert dataclasses.is_dataclass(spec) and dataclasses.is_dataclass(ImageSpec)
assert [field.name for field in dataclasses.fields(spec)] == list(inspect.signature(ImageSpec).parameters)
assert dataclasses.asdict(spec)["packages"] == ["six"]
if sys.version_info >= (3, 10):
    import typing
    assert typing.get_type_hints(ImageSpec)["packages"] == list[str] | None
assert dataclasses.replace(spec, name="b") == ImageSpec(name="b", packages=["six"]) != spec

@dataclasses.dataclass
class Ours(ImageSpec):
    team: str = "one"

ours = dataclasses.replace(Ours(name="a", team="two"), name="b")
assert (ours.name, ours.team) == ("b", "two") and ours.with_packages("six").team == "two"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_examples_in_docstrings_hold() -> None:
    # They say what a user imports.
    names = {"ImageSpec": ImageSpec, "CopyFileDetection": CopyFileDetection}
    tried = {}
    for module in (_spec, _copy_mode):
        failed, tried[module] = doctest.testmod(module, extraglobs=names)
        assert not failed
    assert tried[_spec] > 20 and tried[_copy_mode]


def test_every_public_method_has_an_example() -> None:
    own = {name for name in vars(ImageSpec) if not name.startswith("_")}
    methods = own - {field.name for field in dataclasses.fields(ImageSpec)}
    assert len(methods) > 18
    for name in sorted(methods):
        text = inspect.getdoc(getattr(ImageSpec, name)) or ""
        assert ">>> " in text, name


def test_help_says_what_every_field_is() -> None:
    shown = pydoc.render_doc(ImageSpec, renderer=pydoc.plaintext)
    about, _, _ = shown.partition("Method resolution order")
    for field in dataclasses.fields(ImageSpec):
        assert f"``{field.name}``" in about, field.name
    for error in ("ValueError", "SpecError", "ImagewrightError"):
        assert error in about


def test_the_wheel_for_images_works_without_flytekit(tmp_path: Path) -> None:
    wheel = Path(_client_wheel.path())
    with zipfile.ZipFile(wheel) as archive:
        [record] = [name for name in archive.namelist() if name.endswith("/RECORD")]
        rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(archive.read(record).decode()))}
        assert set(rows) == set(archive.namelist())
        for name, (digest, size) in rows.items():
            content = archive.read(name)
            expected = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            assert name == record or (digest, size) == (f"sha256={expected}", str(len(content)))
        archive.extractall(tmp_path)
    [found] = importlib.metadata.distributions(path=[str(tmp_path)])
    assert found.metadata["Name"] == "imagewright"
    assert [point.group for point in found.entry_points] == ["flytekit.plugins"]
    code = "import sys, imagewright as i; print(i.ImageSpec(name='a').is_container(), 'flytekit' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, stdout=subprocess.PIPE
    )
    assert told.stdout == b"True False\n"
    before = wheel.read_bytes()
    _client_wheel.path.cache_clear()
    again = Path(_client_wheel.path())
    assert again != wheel and again.read_bytes() == before, "the same bytes wherever it is made"
