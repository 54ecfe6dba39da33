"""Container images from an ``ImageSpec``: without Dockerfile, Docker or root.

>>> from imagewright import ImageSpec
>>> spec = ImageSpec(name="train", python_version="3.11", packages=["numpy"])
>>> spec.build()  # doctest: +SKIP
"""

from __future__ import annotations

from ._errors import (
    ImagewrightError,
    InternalError,
    MachineError,
    NetworkError,
    ResolutionError,
    SpecError,
    StepError,
)
from ._spec import CopyFileDetection, ImageSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._results import BuildResult, Plan

__all__ = [
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


def __getattr__(name: str) -> object:
    """The classes of results: nobody needs them before there is one, and ``dataclasses`` is slow to import."""
    if name not in ("BuildResult", "Plan"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import _results

    return getattr(_results, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
