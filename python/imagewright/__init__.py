"""Container images from an ``ImageSpec``: without Dockerfile, Docker or root.

>>> from imagewright import ImageSpec
>>> spec = ImageSpec(name="train", python_version="3.11", packages=["numpy"])
>>> spec.build()  # doctest: +SKIP
"""

from ._errors import (
    ImagewrightError,
    InternalError,
    MachineError,
    NetworkError,
    ResolutionError,
    SpecError,
    StepError,
)
from ._results import BuildResult, Plan
from ._spec import CopyFileDetection, ImageSpec

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
