"""What flytekit's own tests of ImageSpec assert, with the builder of this package, of its class as of flytekit's."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Type

import flytekit
import imagewright
import pytest
from flytekit.configuration import FastSerializationSettings, ImageConfig, SerializationSettings
from flytekit.constants import CopyFileDetection
from flytekit.core.context_manager import ExecutionState, FlyteContextManager
from flytekit.core.python_auto_container import update_image_spec_copy_handling
from flytekit.image_spec.image_spec import ImageBuildEngine, ImageSpecBuilder
from imagewright import _flytekit


@pytest.fixture(params=[flytekit.ImageSpec, imagewright.ImageSpec], ids=["flytekit", "imagewright"])
def kind(request: pytest.FixtureRequest) -> Type[Any]:
    return request.param  # type: ignore[no-any-return]


class Other(ImageSpecBuilder):  # type: ignore[misc]
    """A builder of somebody else."""

    def __init__(self, name: Optional[str] = None) -> None:
        self.name = name
        self.built = 0

    def should_build(self, image_spec: Any) -> bool:
        return True

    def build_image(self, image_spec: Any) -> Optional[str]:
        self.built += 1
        return self.name


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dict[str, Any]]:
    """The builders that are registered, as they are before and after."""
    registry = dict(ImageBuildEngine._REGISTRY)
    monkeypatch.setattr(ImageBuildEngine, "_REGISTRY", registry)
    ImageBuildEngine.build.cache_clear()
    yield registry
    ImageBuildEngine.build.cache_clear()
    ImageBuildEngine._IMAGE_NAME_TO_REAL_NAME.clear()


def test_a_spec_with_all_it_can_have(kind: Type[Any], engine: Dict[str, Any], project: Path) -> None:
    for name in ("requirements.txt", "config.json", "one.txt", "two.txt"):
        project.joinpath(name).write_text("{}")
    project.joinpath("src").mkdir()
    base = kind(name="base", builder="dummy", base_image="base_image")
    spec = kind(
        name="FLYTEKIT",
        builder="dummy",
        packages=["pandas"],
        apt_packages=["git"],
        python_version="3.9",
        registry="localhost:30001",
        base_image=base,
        cuda="11.2.2",
        cudnn="8",
        requirements="requirements.txt",
        registry_config="config.json",
        entrypoint=["/bin/bash"],
        copy=["one.txt"],
        builder_options={"commands": "separate"},
    )
    assert spec._is_force_push is False
    spec = spec.with_commands("echo hello").with_packages("numpy").with_apt_packages("wget")
    spec = spec.with_copy(["src", "two.txt"]).force_push()
    assert (spec.name, spec.builder, spec.python_version) == ("flytekit", "dummy", "3.9")
    assert spec.base_image == base
    assert (spec.packages, spec.apt_packages) == (["pandas", "numpy"], ["git", "wget"])
    assert (spec.commands, spec.copy) == (["echo hello"], ["one.txt", "src", "two.txt"])
    assert (spec.cuda, spec.cudnn) == ("11.2.2", "8")
    assert (spec.source_root, spec.env, spec.pip_index) == (None, None, None)
    assert (spec.entrypoint, spec.builder_options) == (["/bin/bash"], {"commands": "separate"})
    assert spec._is_force_push is True
    assert spec.is_container() is True

    engine["dummy"] = (Other(), 5)
    ImageBuildEngine.build(spec)
    # Built once; the engine asks nobody again.
    del engine["dummy"]
    ImageBuildEngine.build(spec)
    with pytest.raises(AssertionError, match="Image builder flyte is not registered"):
        ImageBuildEngine.build(kind(builder="flyte"))
    spec.with_commands("ls")
    assert spec.commands == ["echo hello"], "a spec is immutable"


def test_is_container_compares_ids_in_an_execution(kind: Type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    spec = kind(name="app")
    context = FlyteContextManager.current_context()
    state = context.execution_state.with_params(mode=ExecutionState.Mode.TASK_EXECUTION)
    with FlyteContextManager.with_context(context.with_execution_state(state)):
        monkeypatch.setenv("_F_IMG_ID", spec.id)
        assert spec.is_container() is True
        monkeypatch.setenv("_F_IMG_ID", kind(name="other").id)
        assert spec.is_container() is False


def test_a_builder_of_a_company_comes_first(engine: Dict[str, Any]) -> None:
    company, default = Other("fqn.example/flytekit"), Other()
    ImageBuildEngine.register("company", company, priority=10)
    ImageBuildEngine.register("no-priority", default)
    spec = flytekit.ImageSpec(name="FLYTEKIT")
    ImageBuildEngine.build(spec)
    assert (company.built, default.built) == (1, 0)
    assert spec.image_name() == "fqn.example/flytekit"


def test_a_builder_names_the_image(kind: Type[Any], engine: Dict[str, Any]) -> None:
    ImageBuildEngine.register("test", Other("fqn.example/new:v-test"))
    spec = kind(name="hello", builder="test").force_push()
    ImageBuildEngine.build(spec)
    assert spec.image_name() == "fqn.example/new:v-test"


def test_noop_names_the_base(kind: Type[Any], engine: Dict[str, Any]) -> None:
    spec = kind(name="test_image", builder="noop", base_image="localhost:30000/test_image:latest")
    ImageBuildEngine.build(spec)
    assert spec.image_name() == "localhost:30000/test_image:latest"
    with pytest.raises(ValueError, match="base_image must be a string"):
        ImageBuildEngine.build(kind(name="test_image", builder="noop"))


def test_a_tag_format_and_what_is_in_no_id(kind: Type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    spec = kind(name="my_image", python_version="3.11", tag_format="{spec_hash}-dev")
    assert spec.image_name() == f"my_image:{spec.tag}" and spec.tag.endswith("-dev")
    plain = kind(name="my_image")
    for other in (kind(name="my_image", builder="envd"), kind(name="my_image", pip_secret_mounts=[("src", "/dst")])):
        assert (other.id, other.tag) == (plain.id, plain.tag)
    with monkeypatch.context() as patch:
        patch.setenv("FLYTE_FORCE_PUSH_IMAGE_SPEC", "True")
        assert kind(name="my_image")._is_force_push is True


LISTS = "packages conda_channels conda_packages apt_packages pip_extra_index_url entrypoint commands".split()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        *[({name: value}, f"{name} must be a list of strings or None") for name in LISTS for value in ("a.txt", [1])],
        *[
            ({"pip_secret_mounts": value}, "pip_secret_mounts must be a list of tuples of two strings or None")
            for value in ("secrets.txt", ("src", "id", "dst"))
        ],
        *[({"builder_options": value}, "builder_options must be a dictionary or None") for value in ("a", ["a"])],
        *[
            ({"registry": value}, "Invalid container registry name")
            for value in ("invalid:port:50000", "ghcr.io/flyteorg:latest", "flyteorg:latest")
        ],
    ],
)
def test_wrong_types(kind: Type[Any], fields: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**fields)


def test_registries(kind: Type[Any]) -> None:
    for registry in ("localhost:30000/flyte", "192.168.1.1:30000", "ghcr.io/flyteorg", "my.registry.com:5000/x", "f"):
        assert kind(registry=registry).registry == registry


@pytest.mark.parametrize(
    ("mode", "root", "expected"),
    [
        (None, "/tmp", (CopyFileDetection.LOADED_MODULES, "/tmp")),
        (CopyFileDetection.NO_COPY, "/tmp", (CopyFileDetection.NO_COPY, None)),
        (CopyFileDetection.ALL, "/tmp", (CopyFileDetection.ALL, "/tmp")),
        (None, None, (None, None)),
    ],
)
def test_what_is_copied_follows_the_settings(kind: Type[Any], mode: Any, root: Optional[str], expected: Any) -> None:
    spec = kind(name="my_image", python_version="3.12", source_copy_mode=mode)
    settings = SerializationSettings(
        source_root=root,
        fast_serialization_settings=FastSerializationSettings(enabled=False),
        image_config=ImageConfig.auto_default_image(),
    )
    update_image_spec_copy_handling(spec, settings)
    assert (spec.source_copy_mode, spec.source_root) == expected
    assert kind(source_root="/tmp").source_copy_mode == CopyFileDetection.LOADED_MODULES


def test_from_env(kind: Type[Any]) -> None:
    with pytest.raises(ValueError, match="python_version can not be used with `from_env`"):
        kind.from_env(pinned_packages=["pytest"], python_version="3.9")
    spec = kind.from_env(pinned_packages=["pytest"], packages=["scikit-learn"])
    assert spec.packages == ["scikit-learn", f"pytest=={metadata.version('pytest')}"]
    assert spec.python_version == kind.from_env().python_version


def test_lists_and_options_grow(kind: Type[Any]) -> None:
    spec = kind(name="app", builder_options={"a": 1})
    assert spec.with_runtime_packages(["mine"]).runtime_packages == ["mine"]
    assert spec.with_builder_options({"b": 2}).builder_options == {"a": 1, "b": 2}
    assert spec.builder_options == {"a": 1}


def test_no_builder_is_asked_in_an_execution(kind: Type[Any], engine: Dict[str, Any]) -> None:
    ours = Other()
    engine["imagewright"] = (ours, _flytekit.PRIORITY)
    context = FlyteContextManager.current_context()
    state = context.execution_state.with_params(mode=ExecutionState.Mode.TASK_EXECUTION)
    with FlyteContextManager.with_context(context.with_execution_state(state)):
        ImageBuildEngine.build(kind(name="my_image_v2", python_version="3.12"))
    assert ours.built == 0
    # The engine remembers that it was asked for the other.
    ImageBuildEngine.build(kind(name="my_image_v3", python_version="3.12"))
    assert ours.built == 1
