"""One image for two tasks, with a module that the machine that builds it need not have.

Build it with ``imagewright build image_spec.py``; run a task in it with
``imagewright run image_spec.py:image -v $PWD:/root -- pyflyte run image_spec.py summary``. With ``registry="ghcr.io/you"``
it is pushed, and ``pyflyte run --remote image_spec.py summary`` builds what is missing by itself.
"""

from __future__ import annotations

from typing import List

from flytekit import ImageSpec, task, workflow

image = ImageSpec(
    name="flyte-example",
    packages=["pandas"],
    env={"READINGS": "three"},
)


@task(container_image=image)
def readings() -> List[float]:
    return [19.5, 21.0, 23.5]


@task(container_image=image)
def mean(values: List[float]) -> float:
    # The file is read on machines without pandas, too; at the top this belongs below `if image.is_container():`.
    import pandas as pd

    return float(pd.Series(values).mean())


@workflow
def summary() -> float:
    return mean(values=readings())
