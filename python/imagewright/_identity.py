"""What tells a spec from others: the id that flytekit gives it."""

from __future__ import annotations

from . import _fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Fields that do not change what is in an image, or are not known where its id is asked for.
_NOT_IN_ID = ("pip_secret_mounts", "builder", "runtime_packages")


def of(spec: object) -> str:
    """The base64 of the MD5 of the ``repr`` of the fields that are set."""
    # A package that is imported makes no spec yet.
    import base64
    import hashlib

    digest = hashlib.md5(repr(_set_fields(spec)).encode(), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _set_fields(spec: object) -> dict[str, Any]:
    fields = {
        name: value
        for name in _fields.names(type(spec))
        if (value := getattr(spec, name)) is not None and name not in _NOT_IN_ID
    }
    if not isinstance(fields.get("base_image", ""), str):
        fields["base_image"] = _set_fields(fields["base_image"])
    return fields
