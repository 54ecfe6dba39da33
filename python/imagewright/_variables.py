"""Flyte's variables of the environment, read as flytekit reads them."""

from __future__ import annotations

import os

FAST_FAIL = "FLYTE_IMG_FAST_FAIL"
FORCE_PUSH = "FLYTE_FORCE_PUSH_IMAGE_SPEC"
PUSH = "FLYTE_PUSH_IMAGE_SPEC"


def is_on(name: str) -> bool:
    """Whether a variable is set, and to anything but a no."""
    return name in os.environ and not is_off(name)


def is_off(name: str) -> bool:
    """Whether a variable is set to a no."""
    return os.environ.get(name, "").lower() in ("false", "0", "off", "no")


def pushes() -> bool:
    """Whether images are pushed: ``FLYTE_PUSH_IMAGE_SPEC`` has other words than the rest."""
    return os.environ.get(PUSH, "true").lower() in ("true", "1")
