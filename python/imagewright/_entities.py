"""Which ImageSpecs flytekit's entities need: tasks, and all that workflows and launch plans lead to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Iterator, List, Optional, Set

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


#: What gives an image's name in a template, as ``{{.image.name.fqn}}`` does.
_TEMPLATE = re.compile(r"{{\s*\.images?\.([a-zA-Z0-9_-]+)")


@dataclass(frozen=True)
class Found:
    """A spec, and the entity that needs its image."""

    spec: ImageSpec
    entity: object

    @property
    def label(self) -> str:
        """The name of the entity; of a node that has a pod template of its own, that of its task."""
        entity = self.entity.flyte_entity if isinstance(self.entity, Node) else self.entity
        return str(getattr(entity, "name", entity))


def image_specs(
    entities: Iterable[object], configured: Optional[Callable[[str], Optional[ImageSpec]]] = None
) -> Iterator[Found]:
    """The ImageSpecs of entities and of what they lead to; one that several need is given for each of them.

    What is registered elsewhere, as reference tasks are, needs no image from here. Of a dynamic workflow nobody
    knows the tasks before it runs, so for one, as in flytekit, all tasks that are defined count. ``configured`` says
    which spec the image of a name in a template has.
    """
    seen: Set[int] = set()
    waiting: List[object] = list(entities)[::-1]
    while waiting:
        entity = waiting.pop()
        if id(entity) in seen or isinstance(entity, ReferenceEntity):
            continue
        seen.add(id(entity))
        for image in _own(entity):
            if isinstance(image, ImageSpec):
                yield Found(image, entity)
            elif isinstance(image, str) and configured is not None:
                specs = (configured(name) for name in dict.fromkeys(_TEMPLATE.findall(image)))
                yield from (Found(spec, entity) for spec in specs if spec is not None)
        waiting.extend(list(_next(entity))[::-1])


def _own(entity: object) -> Iterator[Any]:
    """The images of the containers that a task has, or that a node puts in their place."""
    if isinstance(entity, Node):
        yield from _of_pod(entity._pod_template)
    if not isinstance(entity, Task) or isinstance(entity, (ArrayNodeMapTask, MapPythonTask)):
        return
    yield getattr(entity, "container_image", None)
    yield getattr(entity, "_image", None)
    yield from _of_pod(getattr(entity, "pod_template", None))


def _of_pod(template: Any) -> Iterator[Any]:
    """Of containers alone: flytekit does not look into those that a pod starts with."""
    if template is not None and template.pod_spec is not None:
        yield from (container.image for container in template.pod_spec.containers or [])


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
