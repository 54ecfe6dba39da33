"""What the fields of a spec may be: flytekit's defaults and checks, with its messages."""

from __future__ import annotations

import copy
import os
import re

from ._copy_mode import CopyFileDetection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping

_LISTS = (
    "packages",
    "conda_channels",
    "conda_packages",
    "apt_packages",
    "pip_extra_index_url",
    "entrypoint",
    "commands",
    "runtime_packages",
)

_REGISTRY = re.compile(r"^(localhost:\d{1,5}|([a-z\d\._-]+)(:\d{1,5})?)(/[\w\.-]+)*$")


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a spec that was given some; raises :class:`ValueError` where one cannot be what it is."""
    # A caller may change what it passed; the spec stays.
    fields: dict[str, Any] = {name: copy.deepcopy(value) for name, value in given.items()}
    _check_texts(fields)
    fields["name"] = fields["name"].lower()
    if fields["registry"]:
        fields["registry"] = fields["registry"].lower()
        if not _REGISTRY.match(fields["registry"]):
            raise ValueError(
                f"Invalid container registry name: '{fields['registry']}'.\n Expected formats:\n"
                "- 'localhost:30000' (for local registries)\n"
                "- 'ghcr.io/username' (for GitHub Container Registry)\n"
                "- 'docker.io/username' (for docker hub)\n"
            )
    if fields["platform"] is None:
        is_arm = os.uname().machine.lower() in ("arm64", "aarch64")
        is_local = (fields["registry"] or "").startswith("localhost:")
        fields["platform"] = "linux/arm64" if is_local and is_arm else "linux/amd64"
    if fields["source_copy_mode"] is not None:
        # flytekit's own enumeration has the same names.
        fields["source_copy_mode"] = CopyFileDetection[fields["source_copy_mode"].name]
    elif fields["source_root"] is not None:
        fields["source_copy_mode"] = CopyFileDetection.LOADED_MODULES
    _check_types(fields)
    # flytekit's engine takes no spec without one.
    fields["builder"] = fields["builder"] or "imagewright"
    return fields


def _check_texts(fields: Mapping[str, Any]) -> None:
    """What is read before flytekit's own checks come, which take it as it is."""
    if not isinstance(fields["name"], str):
        raise ValueError("name must be a string")
    if not isinstance(fields["registry"], (str, type(None))):
        raise ValueError("registry must be a string or None")
    base = fields["base_image"]
    if not isinstance(base, (str, type(None))) and not hasattr(base, "__dataclass_fields__"):
        raise ValueError("base_image must be a string, an ImageSpec or None")
    mode = fields["source_copy_mode"]
    if mode is not None and getattr(mode, "name", None) not in CopyFileDetection.__members__:
        raise ValueError("source_copy_mode must be a CopyFileDetection or None")


def _check_types(fields: Mapping[str, Any]) -> None:
    for name in _LISTS:
        if fields[name] is not None and not _is_list(fields[name]):
            raise ValueError(f"{name} must be a list of strings or None")
    mounts = fields["pip_secret_mounts"]
    if mounts is not None and not (
        isinstance(mounts, list)
        and all(isinstance(mount, tuple) and len(mount) == 2 and _is_list([*mount]) for mount in mounts)
    ):
        raise ValueError("pip_secret_mounts must be a list of tuples of two strings or None")
    if fields["builder_options"] is not None and not isinstance(fields["builder_options"], dict):
        raise ValueError("builder_options must be a dictionary or None")


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
