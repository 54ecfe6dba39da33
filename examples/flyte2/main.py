"""A task of Flyte 2 whose image imagewright makes.

With ``image: {builder: imagewright, registry: ...}`` in flyte's configuration: ``flyte run main.py mean --n 10``
"""

from __future__ import annotations

from pathlib import Path

import flyte

image = (
    flyte.Image.from_debian_base(python_version=(3, 12), name="mean")
    .with_pip_packages("numpy")
    .with_env_vars({"OMP_NUM_THREADS": "1"})
    .with_source_file(Path(__file__).with_name("settings.toml"), "/opt/")
)
environment = flyte.TaskEnvironment(name="mean", image=image)


@environment.task
def mean(n: int) -> float:
    import numpy

    return float(numpy.arange(n).mean())
