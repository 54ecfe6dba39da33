"""The names of images: what they depend on, and those of images that flytekit has had built in this process."""

from __future__ import annotations

from . import _requests

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: The names of what was built, by the fields of the specs; files are known by their names alone, as to flytekit.
_built: dict[str, str] = {}


def remember(spec: Any, name: str) -> None:
    """Makes ``name`` the name of the spec's image until this process ends."""
    _built[_key(spec)] = name


def built(spec: Any) -> str | None:
    """The name under which the image of a spec was built; None where it was not."""
    # What a base is called may have to be asked.
    return _built.get(_key(spec)) if _built else None


def forget_builders(fields: dict[str, Any]) -> None:
    """Takes the builders out of a spec's fields: a name depends on none, and flytekit knows more of them."""
    fields.pop("builder", None)
    if isinstance(fields.get("base_image"), dict):
        forget_builders(fields["base_image"])


def name_others(fields: dict[str, Any], spec: Any, others: Any) -> None:
    """Puts the name of a base that another builder makes in the place of its fields, as flytekit does."""
    if isinstance(fields.get("base_image"), dict):
        base = spec.base_image
        if others.makes(base):
            fields["base_image"] = base.image_name()
        else:
            name_others(fields["base_image"], base, others)


def _key(spec: Any) -> str:
    """What tells specs apart; flytekit's engine has put the name of a base in the place of its spec."""
    fields = _requests.fields(spec)
    if isinstance(fields.get("base_image"), dict):
        fields["base_image"] = spec.base_image.image_name()
    return _requests.key(fields)
