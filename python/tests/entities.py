"""Each kind of entity of flytekit that leads to an image; the names of the images say which. REGISTRY and INDEX are put in."""

from typing import Any, List, Type

from flytekit import Cache, ContainerTask, ImageSpec, LaunchPlan, PodTemplate, conditional, dynamic, eager, kwtypes
from flytekit import map_task, reference_launch_plan, reference_task, task, workflow
from flytekit.configuration import ImageConfig
from flytekit.core.array_node import array_node
from flytekit.core.interface import Interface
from flytekit.core.legacy_map_task import map_task as legacy_map_task
from flytekit.core.python_customized_container_task import PythonCustomizedContainerTask
from flytekit.core.shim_task import ShimTaskExecutor
from imagewright import ImageSpec as Own
from kubernetes.client import V1Container, V1PodSpec


def image(name: str, kind: Type[ImageSpec] = ImageSpec) -> ImageSpec:
    return kind(
        name=name,
        registry="REGISTRY",
        base_image="REGISTRY/base:1",
        pip_index="INDEX",
        builder_options={"bytecode": False},
    )


def pod(name: str) -> PodTemplate:
    """A pod whose second container has an image of its own."""
    containers = [V1Container(name="primary"), V1Container(name="side", image=image(name))]
    return PodTemplate(primary_container_name="primary", pod_spec=V1PodSpec(containers=containers))


class OwnTag:
    """A policy of caches: another image is another version."""

    def get_version(self, salt: str, params: Any) -> str:
        return salt + params.container_image.image_name()


@task(container_image=image("nested"))
def nested(x: int) -> int:
    return x


@task(container_image=image("mapped"))
def mapped(x: int) -> int:
    return x


@task(container_image=image("mapped-before"))
def mapped_before(x: int) -> int:
    return x


@task(container_image=image("planned"))
def planned(x: int) -> int:
    return x


@task(container_image=image("then"))
def then(x: int) -> int:
    return x


@task(container_image=image("otherwise"))
def otherwise(x: int) -> int:
    return x


@task(container_image=image("failure"))
def clean_up(x: int) -> None: ...


@task(container_image=image("primary"), pod_template=pod("side"))
def in_a_pod(x: int) -> int:
    return x


@task(container_image=image("overridden"))
def overridden(x: int) -> int:
    return x


@task(container_image=image("cached", Own), cache=Cache(policies=[OwnTag()], salt="s"))
def cached(x: int) -> int:
    return x


@task(container_image="{{.image.configured.fqn}}:{{.image.configured.version}}")
def of_a_template(x: int) -> int:
    return x


@task(container_image="{{.image.in_the_file}}")
def of_the_configuration_file(x: int) -> int:
    return x


@task(container_image="{{.image.of_others}}")
def of_others(x: int) -> int:
    return x


@reference_task(project="p", domain="d", name="elsewhere", version="1")
def elsewhere(x: int) -> int: ...


@reference_launch_plan(project="p", domain="d", name="elsewhere", version="1")
def planned_elsewhere(x: int) -> int: ...


class Executor(ShimTaskExecutor[str]):
    def execute_from_model(self, tt: Any, **inputs: Any) -> Any: ...


class Customized(PythonCustomizedContainerTask[str]):
    def get_custom(self, settings: Any) -> Any:
        return {}


raw = ContainerTask(name="raw", image=image("raw"), command=["true"], inputs=kwtypes(x=int))
customized = Customized(
    name="customized",
    task_config="",
    container_image=image("customized"),
    executor_type=Executor,
    interface=Interface({"x": int}),
)
configured = ImageConfig.from_images("REGISTRY/base:1", {"configured": "configured.yaml", "of_others": "REGISTRY/base:1"})


@workflow
def inner(x: int) -> int:
    return nested(x=x)


@workflow
def outer(x: int) -> int:
    return inner(x=x)


@workflow
def maps(x: List[int]) -> None:
    map_task(mapped)(x=x)
    legacy_map_task(mapped_before)(x=x)


@workflow
def to_plan(x: int) -> int:
    return planned(x=x)


plan = LaunchPlan.get_or_create(to_plan, name="a_plan")


@workflow
def plans(x: int) -> int:
    return plan(x=x)


@workflow
def array_of_plans(x: List[int]) -> None:
    array_node(plan)(x=x)


@workflow
def chooses(x: int) -> int:
    return conditional("of x").if_(x > 0).then(then(x=x)).else_().then(otherwise(x=x))


@workflow(on_failure=clean_up)
def fails(x: int) -> int:
    return elsewhere(x=x)


@workflow
def pods(x: int) -> None:
    in_a_pod(x=x)
    overridden(x=x).with_overrides(pod_template=pod("overriding-side"))


@workflow
def raws(x: int) -> None:
    raw(x=x)
    customized(x=x)


@workflow
def templates(x: int) -> None:
    of_a_template(x=x)
    of_the_configuration_file(x=x)
    of_others(x=x)


@workflow
def only_references(x: int) -> int:
    planned_elsewhere(x=x)
    return elsewhere(x=x)


@dynamic(container_image=image("dynamic"), node_dependency_hints=[to_plan])
def knows_later(x: int) -> int:
    return nested(x=x)


@eager(container_image=image("eager"))
async def is_eager(x: int) -> int:
    return nested(x=x)
