"""A task of Flyte 2 whose image imagewright makes.

With ``image: {builder: imagewright, registry: ...}`` in flyte's configuration:
``flyte run main.py newest --versions '["1.9", "1.10"]'``
"""

from __future__ import annotations

from pathlib import Path
from typing import List

import flyte

image = (
    flyte.Image.from_debian_base(name="newest")
    .with_pip_packages("packaging")
    .with_env_vars({"LOG_LEVEL": "info"})
    .with_source_file(Path(__file__).with_name("settings.toml"), "/opt/")
)
environment = flyte.TaskEnvironment(name="newest", image=image)


@environment.task
def newest(versions: List[str]) -> str:
    from packaging.version import Version

    return str(max(Version(version) for version in versions))
