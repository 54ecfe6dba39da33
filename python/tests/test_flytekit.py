"""The builder that flytekit finds: what it takes, what it asks for, and what it does to flytekit's specs."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Iterator, List, Optional, Type

import flytekit
import imagewright
import pytest
from flytekit import ContainerTask, dynamic, kwtypes, map_task, task, workflow
from flytekit.configuration import FastSerializationSettings, Image, ImageConfig, SerializationSettings
from flytekit.constants import CopyFileDetection
from flytekit.core.context_manager import ExecutionState, FlyteContextManager, FlyteEntities
from flytekit.core.python_auto_container import update_image_spec_copy_handling
from flytekit.image_spec.image_spec import ImageBuildEngine, ImageSpecBuilder
from flytekit.remote.remote import _get_pickled_target_dict
from flytekit.tools import script_mode
from flytekit.tools.translator import get_serializable
from imagewright import _flytekit, _names, _program, _requests
from imagewright._results import BuildResult

CLASSES = [flytekit.ImageSpec, imagewright.ImageSpec]

DIGEST = f"sha256:{0:064}"


class Recording(_flytekit.ImagewrightBuilder):
    """The builder, with what it asks the program for at once, and without the program."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: List[List[str]] = []
        self.requests: List[Dict[str, Any]] = []

    def _build(self, requests: List[Dict[str, Any]]) -> None:
        self.asked.append([request["spec"]["name"] for request in requests])
        self.requests += requests
        for request in requests:
            image = f"registry.example/{request['spec']['name']}:tag"
            self._built[_requests.key(request)] = BuildResult(image, DIGEST, "built", 0, 0.0, {})


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    """In the place of the registered one."""
    recording = Recording()
    monkeypatch.setitem(ImageBuildEngine._REGISTRY, "imagewright", (recording, _flytekit.PRIORITY))
    # A dynamic workflow needs the images of all tasks that there are, also of other tests.
    monkeypatch.setattr(FlyteEntities, "entities", [])
    monkeypatch.setattr(_names, "_built", {})
    ImageBuildEngine.build.cache_clear()
    yield recording
    ImageBuildEngine.build.cache_clear()
    ImageBuildEngine._IMAGE_NAME_TO_REAL_NAME.clear()


def settings(root: Path, is_fast: bool = False, **more: Any) -> SerializationSettings:
    return SerializationSettings(
        project="p",
        domain="d",
        version="v",
        source_root=str(root),
        fast_serialization_settings=FastSerializationSettings(enabled=is_fast, destination_dir="/root"),
        **{"image_config": ImageConfig.auto_default_image(), **more},
    )


def test_it_is_registered_above_the_default_and_below_what_a_company_has() -> None:
    assert isinstance(ImageBuildEngine._REGISTRY["imagewright"][0], _flytekit.ImagewrightBuilder)
    assert flytekit.ImageSpec().builder == "imagewright"
    assert flytekit.ImageSpec(builder="default").builder == "default"
    assert imagewright.ImageSpec(builder="default").builder == "default"


def test_a_spec_of_ours_is_one_of_flytekits() -> None:
    ours = imagewright.ImageSpec(name="ours", packages=["six"], source_copy_mode=imagewright.CopyFileDetection.NO_COPY)
    assert isinstance(ours, flytekit.ImageSpec)
    update_image_spec_copy_handling(ours, settings(Path("/project")))
    assert ours.source_root is None, "NO_COPY is flytekit's"
    ours.source_copy_mode = CopyFileDetection.ALL
    assert ours.source_copy_mode == imagewright.CopyFileDetection.ALL
    assert type(ours.with_packages("idna")) is imagewright.ImageSpec


@pytest.mark.parametrize("kind", CLASSES)
def test_a_spec_keeps_its_id_when_flytekit_sets_its_source(kind: Type[Any]) -> None:
    top, base = kind(name="top", base_image=kind(name="base")), kind(name="base")
    made = top.id
    assert made == flytekit.ImageSpec(name="top", base_image=flytekit.ImageSpec(name="base")).id
    update_image_spec_copy_handling(base, settings(Path("/project")))
    update_image_spec_copy_handling(top, settings(Path("/project")))
    assert top.source_root == "/project"
    assert top.source_copy_mode == CopyFileDetection.LOADED_MODULES
    assert (top.id, base.id) == (made, kind(name="base").id)


def test_in_a_container_there_is_a_tag_without_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    fields: Dict[str, Any] = {"name": "ours", "packages": ["six"], "registry": "localhost:1"}
    ours, theirs = imagewright.ImageSpec(**fields), flytekit.ImageSpec(**fields)
    monkeypatch.setenv("IMAGEWRIGHT_PROGRAM", "/nowhere/imagewright")
    with pytest.raises(imagewright.MachineError, match="/nowhere/imagewright"):
        _ = ours.tag
    monkeypatch.setenv("_F_IMG_ID", ours.id)
    assert (ours.tag, ours.image_name()) == (theirs.tag, theirs.image_name())


@pytest.mark.parametrize("kind", CLASSES)
def test_no_docker_is_asked(kind: Type[Any], builder: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docker.from_env", lambda: pytest.fail("Docker was asked"))
    ImageBuildEngine.build(kind(name="app", registry="localhost:1"))
    assert builder.asked == [["app"]]


@pytest.mark.parametrize("kind", CLASSES)
def test_a_request_has_what_a_task_needs(kind: Type[Any], builder: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_INTERNAL_IMAGE", "registry.example/base:1")
    app = kind(name="app", packages=["six"]).force_push()
    ImageBuildEngine.build(app)
    [request] = builder.requests
    assert request["with"] == [f"flytekit=={flytekit.__version__}"]
    assert request["python"] == "{}.{}".format(*sys.version_info)
    assert (request["id"], request["force"]) == (app.id, True)
    assert Path(request["client"]).name.endswith("-py3-none-any.whl")
    assert request["spec"]["base_image"] == "registry.example/base:1"
    assert request["spec"]["packages"] == ["six"]


@pytest.mark.parametrize("kind", CLASSES)
def test_what_is_pickled_has_the_python_that_pickles_it(kind: Type[Any], builder: Recording, tmp_path: Path) -> None:
    based = kind(name="based", base_image=kind(name="base"))
    fixed = kind(name="fixed", python_version="3.9")
    foreign = kind(name="foreign", base_image="registry.example/base:1")

    @task(container_image=based)
    def first() -> None: ...

    @task(container_image=fixed)
    def second() -> None: ...

    @task(container_image=foreign)
    def third() -> None: ...

    @workflow
    def all_three() -> None:
        first()
        second()
        third()

    get_serializable({}, settings(tmp_path), all_three)
    assert not any("python_version" in request["spec"] for request in builder.requests if request["id"] != fixed.id)
    builder.requests.clear()
    ImageBuildEngine.build.cache_clear()
    ImageBuildEngine._IMAGE_NAME_TO_REAL_NAME.clear()
    # As flytekit does it for notebooks.
    _get_pickled_target_dict(all_three)
    get_serializable({}, settings(tmp_path, is_fast=True), all_three)
    own = "{}.{}".format(*sys.version_info)
    found = {request["spec"]["name"]: request["spec"] for request in builder.requests}
    assert set(found) == {"base", "based"}, "the others are the same images"
    assert found["base"]["python_version"] == found["based"]["base_image"]["python_version"] == own
    assert {request["id"] for request in builder.requests} == {based.id, based.base_image.id}


@pytest.mark.parametrize("kind", CLASSES)
def test_nothing_is_built_in_an_execution(kind: Type[Any], builder: Recording) -> None:
    context = FlyteContextManager.current_context()
    state = context.execution_state.with_params(mode=ExecutionState.Mode.TASK_EXECUTION)
    with FlyteContextManager.with_context(context.with_execution_state(state)):
        ImageBuildEngine.build(kind(name="app"))
    assert builder.asked == []


def test_a_base_without_a_registry_is_passed_as_its_spec(builder: Recording) -> None:
    base = flytekit.ImageSpec(name="base", packages=["six"])
    ImageBuildEngine.build(flytekit.ImageSpec(name="top", base_image=base))
    assert builder.asked == [["base"], ["top"]]
    assert builder.requests[1]["spec"]["base_image"] == builder.requests[0]["spec"]


def test_the_name_is_pinned_when_that_is_wanted(builder: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    app = spec("app")
    assert builder.build_image(app) == "registry.example/app:tag"
    monkeypatch.setenv("IMAGEWRIGHT_PIN_DIGEST", "1")
    assert builder.build_image(app) == "registry.example/app@" + DIGEST
    local = flytekit.ImageSpec(name="local")
    assert builder.build_image(local) == "registry.example/local:tag", "what is pushed nowhere is pulled by no digest"
    monkeypatch.setenv("FLYTE_PUSH_IMAGE_SPEC", "0")
    assert builder.build_image(app) == "registry.example/app:tag"


def spec(name: str) -> Any:
    return flytekit.ImageSpec(name=name, registry="localhost:1")


@pytest.mark.parametrize("is_fast", [False, True])
def test_all_images_of_a_workflow_are_asked_for_at_once(builder: Recording, tmp_path: Path, is_fast: bool) -> None:
    @task(container_image=spec("plain"))
    def plain() -> int:
        return 1

    @task(container_image=imagewright.ImageSpec(name="ours", registry="localhost:1", base_image=spec("base")))
    def ours(x: int) -> int:
        return x

    @task(container_image=flytekit.ImageSpec(name="docker", builder="noop", base_image="other:1"))
    def docker(x: int) -> int:
        return x

    @task(container_image=flytekit.ImageSpec(name="over", registry="localhost:1", base_image=docker.container_image))
    def over() -> None: ...

    @task(container_image=spec("unused"))
    def unused() -> None: ...

    @task(container_image=spec("given"))
    def given() -> None: ...

    raw = ContainerTask(name="raw", image=spec("raw"), command=["true"], inputs=kwtypes(x=int))

    @workflow
    def inner(x: int) -> List[int]:
        raw(x=x)
        return map_task(ours)(x=[x])

    @workflow
    def outer() -> List[int]:
        given()
        answer = inner(x=docker(x=plain()))
        over()
        return answer

    image_config = ImageConfig.auto_default_image()
    named = ImageConfig.create_from(image_config.default_image, [Image(given.container_image.id, "there", "1")])
    get_serializable({}, settings(tmp_path, is_fast, image_config=named), outer)
    # The base of one is another builder's.
    assert [sorted(names) for names in builder.asked] == [["base", "ours", "plain", "raw"], ["over"]]
    assert builder.requests[-1]["spec"]["base_image"] == "other:1"
    copied = {request["spec"].get("source_root") for request in builder.requests if request["spec"]["name"] != "base"}
    assert copied == ({None} if is_fast else {str(tmp_path)})


def test_a_dynamic_workflow_needs_the_images_of_all_tasks(builder: Recording, tmp_path: Path) -> None:
    @task(container_image=spec("called"))
    def called() -> None: ...

    @dynamic(container_image=spec("caller"))
    def caller() -> None:
        called()

    serialization = settings(tmp_path)
    serialized = get_serializable({}, serialization, caller)
    assert {"called", "caller"} <= set(builder.asked[0])
    assert len(builder.asked) == 1
    # In the execution, where the id is what the task file makes, it finds the image by it.
    found = serialization.image_config.find_image(spec("called").id)
    assert found is not None and found.full == "registry.example/called:tag"
    assert serialized.template.container.image == "registry.example/caller:tag"


def test_a_registry_that_does_not_answer_is_unknown(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = flytekit.ImageSpec(name="app", registry="localhost:1", base_image="localhost:1/base:1")
    with pytest.raises(imagewright.NetworkError, match="whether localhost:1/app:.* exists is unknown") as failure:
        ImageBuildEngine.build(asked)
    assert failure.value.hint
    monkeypatch.setenv("FLYTE_IMG_FAST_FAIL", "0")
    with pytest.warns(UserWarning, match="Flytekit assumes the image already exists"):
        ImageBuildEngine.build(asked)


@pytest.mark.parametrize("names", [["far", "near"], ["near", "far"]])
def test_an_image_is_not_refused_for_the_registry_of_another(
    builder: Recording, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: List[str]
) -> None:
    record = builder._build

    def build(requests: List[Dict[str, Any]]) -> None:
        if any(request["spec"]["name"] == "far" for request in requests):
            raise imagewright.NetworkError("the registry does not answer")
        record(requests)

    monkeypatch.setattr(builder, "_build", build)
    monkeypatch.setenv("FLYTE_IMG_FAST_FAIL", "0")
    # What is in no registry is known not to exist.
    registries = {"far": "localhost:1", "near": None}

    def task_of(name: str) -> Any:
        def function() -> None: ...

        function.__name__ = function.__qualname__ = name
        return task(container_image=flytekit.ImageSpec(name=name, registry=registries[name], python_version="3.11"))(
            function
        )

    tasks = [task_of(name) for name in names]

    @workflow
    def both() -> None:
        for each in tasks:
            each()

    with pytest.warns(UserWarning, match="localhost:1/far:.* exists is unknown"):
        get_serializable({}, settings(tmp_path, is_fast=True), both)
    assert builder.asked == [["near"]]


@pytest.mark.parametrize("kind", CLASSES)
def test_the_internal_image_is_the_base_of_the_innermost(
    kind: Type[Any], builder: Recording, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    @task(container_image=kind(name="top", base_image=kind(name="base")))
    def over() -> None: ...

    monkeypatch.setenv("FLYTE_INTERNAL_IMAGE", "registry.example/base:1")
    get_serializable({}, settings(tmp_path), over)
    assert builder.asked == [["top", "base"]] or builder.asked == [["base", "top"]]
    base, top = sorted((request["spec"] for request in builder.requests), key=lambda fields: str(fields["name"]))
    assert top["base_image"] == base
    assert base["base_image"] == "registry.example/base:1"
    monkeypatch.setenv("FLYTE_INTERNAL_IMAGE", "")
    assert "base_image" not in _flytekit.request(kind(name="other"))["spec"]


class Company(ImageSpecBuilder):  # type: ignore[misc]  # flytekit has no types
    """A builder of which the program knows nothing."""

    def should_build(self, image_spec: Any) -> bool:
        return True

    def build_image(self, image_spec: Any) -> str:
        return f"company.example/{image_spec.name}:1"


@pytest.mark.parametrize("kind", CLASSES)
def test_a_base_may_be_of_another_builder(
    kind: Type[Any], builder: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ImageBuildEngine._REGISTRY, "company", (Company(), 1))
    base = {"name": "base", "builder": "company", "packages": ["six"]}
    top = imagewright.ImageSpec(name="top", registry="localhost:1", base_image=kind(**base))
    theirs = flytekit.ImageSpec(name="top", registry="localhost:1", base_image=flytekit.ImageSpec(**base))
    assert top.image_name() == flytekit.ImageSpec.image_name(theirs)
    ImageBuildEngine.build(top)
    assert builder.requests[0]["spec"]["base_image"] == "company.example/base:1"
    assert top.image_name() == "registry.example/top:tag"
    again = flytekit.ImageSpec(name="top", registry="localhost:1", base_image="company.example/base:1")
    assert top.tag == again.tag, "the tag of what was built"


class Asking(Company):
    """A builder that asks whether the image exists, as those do that leave it to flytekit."""

    should_build = ImageSpecBuilder.should_build


def test_the_image_of_another_builder_is_flytekits_affair(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    monkeypatch.setitem(ImageBuildEngine._REGISTRY, "company", (Asking(), 1))
    # Neither the program nor Docker is there to be asked.
    monkeypatch.setenv("IMAGEWRIGHT_PROGRAM", "/nowhere/imagewright")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    project.joinpath("requirements.txt").write_text("six\n")
    fields: Dict[str, Any] = {
        "name": "theirs",
        "builder": "company",
        "registry": "localhost:1",
        "cuda": "12",
        "requirements": "requirements.txt",
        "copy": ["requirements.txt"],
    }
    ours, theirs = imagewright.ImageSpec(**fields), flytekit.ImageSpec(**fields)
    assert (ours.tag, ours.image_name()) == (theirs.tag, theirs.image_name())
    before = ours.tag
    project.joinpath("requirements.txt").write_text("idna\n")
    assert ours.tag != before, "it is not kept"
    assert ours.exist() is theirs.exist() is None
    ImageBuildEngine.build(ours)
    assert ours.image_name() != "company.example/theirs:1", "it is assumed to exist"
    monkeypatch.setattr(flytekit.ImageSpec, "exist", lambda spec: False)
    ImageBuildEngine.build(imagewright.ImageSpec(**{**fields, "name": "new"}))
    assert imagewright.ImageSpec(**{**fields, "name": "new"}).image_name() == "company.example/new:1"


def test_what_is_over_the_image_of_another_builder_can_be_asked_about(
    monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    monkeypatch.setitem(ImageBuildEngine._REGISTRY, "company", (Company(), 1))
    base = imagewright.ImageSpec(name="base", builder="company", registry="localhost:1")
    assert imagewright.ImageSpec(name="top", registry="localhost:1", base_image=base).exist() is None


def test_a_field_that_only_a_newer_flytekit_has_is_told(project: Path) -> None:
    @dataclasses.dataclass
    class Newer(flytekit.ImageSpec):  # type: ignore[misc]  # flytekit has no types
        sound: Optional[str] = None
        vendor: str = "one"
        registry: Optional[str] = "localhost:1"

    assert _flytekit.request(Newer(name="a"))["spec"]["registry"] == "localhost:1"
    assert not {"sound", "vendor"} & set(_flytekit.request(Newer(name="a"))["spec"])
    spec = Newer(name="a", builder="imagewright", sound="loud")
    assert _flytekit.request(spec)["spec"]["sound"] == "loud"
    with pytest.raises(imagewright.SpecError, match="sound"):
        _program.call(["tag", "-"], spec=_flytekit.request(spec))


def test_variables_are_read_as_flytekit_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for word in ("1", "true", "True", "t", "yes", "on", "enabled", "", "0", "false", "FALSE", "f", "n", "no", "off"):
        monkeypatch.setenv("FLYTE_FORCE_PUSH_IMAGE_SPEC", word)
        monkeypatch.setenv("FLYTE_IMG_FAST_FAIL", word)
        monkeypatch.setenv("FLYTE_PUSH_IMAGE_SPEC", word)
        ours, theirs = imagewright.ImageSpec(), flytekit.ImageSpec()
        assert ours._is_force_push == theirs._is_force_push, word
        assert ours._fast_fail == theirs._fast_fail, word
        # flytekit's docker builder: `os.getenv("FLYTE_PUSH_IMAGE_SPEC", "True").lower() in ("true", "1")`.
        assert _flytekit.request(ours).get("push", True) is (word.lower() in ("true", "1")), word


def test_the_name_is_that_of_what_was_built(builder: Recording, project: Path) -> None:
    requirements = project / "requirements.txt"
    requirements.write_text("six\n")

    def made() -> Any:
        base = imagewright.ImageSpec(name="base", requirements="requirements.txt")
        return imagewright.ImageSpec(name="top", registry="localhost:1", base_image=base)

    top = made()
    before = top.image_name()
    ImageBuildEngine.build(top)
    requirements.write_text("idna\n")
    for spec in [top, made()]:
        # flytekit asks no builder for a spec that it has had built.
        ImageBuildEngine.build(spec)
        assert spec.image_name() == "registry.example/top:tag"
    assert builder.asked == [["base"], ["top"]]
    other = made().with_packages("six")
    assert other.image_name().startswith("localhost:1/top:"), "it was not built"
    assert other.image_name() != before


@pytest.mark.parametrize("kind", CLASSES)
def test_the_name_over_a_spec_is_pinned_too(
    kind: Type[Any], builder: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEWRIGHT_PIN_DIGEST", "1")
    top = kind(name="top", registry="localhost:1", base_image=kind(name="base", registry="localhost:1"))
    ImageBuildEngine.build(top)
    assert top.image_name() == "registry.example/top@" + DIGEST


@pytest.mark.parametrize("root", [str(Path(__file__).parent), "/", "."])
def test_loaded_modules_are_those_of_flytekit(root: str) -> None:
    modules = list(sys.modules.values())
    expected = sorted(script_mode.list_imported_modules_as_files(root, modules))
    assert _requests.loaded_modules(root, modules) == expected


@pytest.mark.parametrize("kind", CLASSES)
def test_a_base_has_its_loaded_modules_too(kind: Type[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ["below", "above"]:
        module = ModuleType(f"loaded_{name}")
        module.__file__ = str(tmp_path / name / "x.py")
        monkeypatch.setitem(sys.modules, module.__name__, module)
    loaded: Dict[str, Any] = {"source_copy_mode": CopyFileDetection.LOADED_MODULES}
    below = kind(name="below", source_root=str(tmp_path / "below"), **loaded)
    asked = _requests.request(kind(name="top", base_image=below))
    assert asked["loaded_modules"] == [str(tmp_path / "below" / "x.py")]
    both = _requests.request(kind(name="top", base_image=below, source_root=str(tmp_path / "above"), **loaded))
    assert both["loaded_modules"] == [str(tmp_path / name / "x.py") for name in ["above", "below"]]
