"""The names of images: what they depend on, and those of images that flytekit has had built in this process."""

from __future__ import annotations

from typing import Any, Dict, Optional

from . import _requests

#: The names of what was built, by the fields of the specs; files are known by their names alone, as to flytekit.
_built: Dict[str, str] = {}


def remember(spec: Any, name: str) -> None:
    """Makes ``name`` the name of the spec's image until this process ends."""
    _built[_key(spec)] = name


def built(spec: Any) -> Optional[str]:
    """The name under which the image of a spec was built; None where it was not."""
    # What a base is called may have to be asked.
    return _built.get(_key(spec)) if _built else None


def forget_builders(fields: Dict[str, Any], spec: Any) -> None:
    """Takes the builders out of a spec's fields: a name depends on none, and flytekit knows more of them.

    A base of another builder is given by its name, as it is when the image is built.
    """
    fields.pop("builder", None)
    if isinstance(fields.get("base_image"), dict):
        base = spec.base_image
        if base.builder == "imagewright":
            forget_builders(fields["base_image"], base)
        else:
            fields["base_image"] = base.image_name()


def _key(spec: Any) -> str:
    """What tells specs apart; flytekit's engine has put the name of a base in the place of its spec."""
    fields = _requests.fields(spec)
    if isinstance(fields.get("base_image"), dict):
        fields["base_image"] = spec.base_image.image_name()
    return _requests.key(fields)
