"""Which ImageSpecs flytekit's entities need: tasks, and all that workflows and launch plans lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Iterator, List, Set

from flytekit import ImageSpec
from flytekit.core.array_node import ArrayNode
from flytekit.core.array_node_map_task import ArrayNodeMapTask
from flytekit.core.base_task import Task
from flytekit.core.condition import BranchNode
from flytekit.core.context_manager import FlyteEntities
from flytekit.core.launch_plan import LaunchPlan
from flytekit.core.legacy_map_task import MapPythonTask
from flytekit.core.node import Node
from flytekit.core.python_function_task import PythonFunctionTask
from flytekit.core.reference_entity import ReferenceEntity
from flytekit.core.workflow import WorkflowBase


@dataclass(frozen=True)
class Found:
    """A spec, and the entity that needs its image."""

    spec: ImageSpec
    entity: object

    @property
    def label(self) -> str:
        """The name of the entity."""
        return str(getattr(self.entity, "name", self.entity))


def image_specs(entities: Iterable[object]) -> Iterator[Found]:
    """The ImageSpecs of entities and of what they lead to; one that several need is given for each of them.

    What is registered elsewhere, as reference tasks are, needs no image from here. Of a dynamic workflow nobody
    knows the tasks before it runs, so for one, as in flytekit, all tasks that are defined count.
    """
    seen: Set[int] = set()
    waiting: List[object] = list(entities)[::-1]
    while waiting:
        entity = waiting.pop()
        if id(entity) in seen or isinstance(entity, ReferenceEntity):
            continue
        seen.add(id(entity))
        for spec in _own(entity):
            yield Found(spec, entity)
        waiting.extend(list(_next(entity))[::-1])


def _own(entity: object) -> Iterator[ImageSpec]:
    """The images of the containers that a task has."""
    if not isinstance(entity, Task) or isinstance(entity, (ArrayNodeMapTask, MapPythonTask)):
        return
    containers: List[Any] = [getattr(entity, "container_image", None), getattr(entity, "_image", None)]
    template = getattr(entity, "pod_template", None)
    if template is not None and template.pod_spec is not None:
        pod = template.pod_spec
        containers += [container.image for container in [*(pod.containers or []), *(pod.init_containers or [])]]
    yield from (image for image in containers if isinstance(image, ImageSpec))


def _next(entity: object) -> Iterator[object]:
    """What an entity leads to."""
    if isinstance(entity, WorkflowBase):
        yield from entity.nodes
        if entity.failure_node is not None:
            yield entity.failure_node
    elif isinstance(entity, Node):
        yield entity.flyte_entity
    elif isinstance(entity, BranchNode):
        block = entity._ifelse_block
        yield from (case.then_node for case in [block.case, *(block.other or [])])
        yield block.else_node
    elif isinstance(entity, LaunchPlan):
        yield entity.workflow
    elif isinstance(entity, ArrayNodeMapTask):
        yield entity.python_function_task
    elif isinstance(entity, MapPythonTask):
        yield entity.run_task
    elif isinstance(entity, ArrayNode):
        yield entity.target
    elif isinstance(entity, PythonFunctionTask):
        if entity.execution_mode != PythonFunctionTask.ExecutionBehavior.DEFAULT:
            yield from entity.node_dependency_hints or []
            yield from (other for other in FlyteEntities.entities if isinstance(other, Task))
