"""The wheel that brings this package into an image, so that a task file which imports it works there too.

It has the Python part alone, without the program: nothing is built in an execution. It is made of the installed
files themselves, so it fits every Python and architecture, and its bytes depend on nothing else.
"""

from __future__ import annotations

import atexit
import base64
import hashlib
import os
import shutil
import tempfile
import zipfile
from functools import lru_cache
from importlib import metadata
from typing import Dict

_TIME = (1980, 1, 1, 0, 0, 0)
_FILE = 0o100644 << 16

#: flytekit in an image must know ``imagewright.ImageSpec`` as well, for dynamic tasks.
_ENTRY_POINTS = "[flytekit.plugins]\nimagewright = imagewright._flytekit\n"


@lru_cache
def path() -> str:
    """The path of the wheel, which is made once and is there as long as this process."""
    folder = tempfile.mkdtemp(prefix="imagewright-")
    atexit.register(_remove, folder, os.getpid())
    version = _version()
    wheel = os.path.join(folder, f"imagewright-{version}-py3-none-any.whl")
    _write(wheel, _files(version), f"imagewright-{version}.dist-info/RECORD")
    return wheel


def _remove(folder: str, maker: int) -> None:
    # A process that was forked ends before the one that made it.
    if os.getpid() == maker:
        shutil.rmtree(folder, ignore_errors=True)


def _version() -> str:
    try:
        return metadata.version("imagewright")
    except metadata.PackageNotFoundError:
        # A checkout that is on PYTHONPATH.
        return "0"


def _files(version: str) -> Dict[str, bytes]:
    package = os.path.dirname(os.path.abspath(__file__))
    files = {}
    for name in sorted(os.listdir(package)):
        if name.endswith(".py") or name == "py.typed":
            with open(os.path.join(package, name), "rb") as file:
                files[f"imagewright/{name}"] = file.read()
    about = f"imagewright-{version}.dist-info"
    texts = {
        "METADATA": f"Metadata-Version: 2.1\nName: imagewright\nVersion: {version}\nRequires-Python: >=3.9\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: imagewright\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "entry_points.txt": _ENTRY_POINTS,
    }
    return {**files, **{f"{about}/{name}": text.encode() for name, text in texts.items()}}


def _write(wheel: str, files: Dict[str, bytes], record: str) -> None:
    lines = [f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files.items()]
    files = {**files, record: "".join([*lines, f"{record},,\n"]).encode()}
    # Stored, as compressed bytes differ between versions of zlib.
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name, _TIME)
            member.create_system = 3
            member.external_attr = _FILE
            archive.writestr(member, content)


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
