"""The command ``pyflyte``, and what it leaves: packages, and images in a registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Dict, List

from flyteidl.admin import task_pb2


def pyflyte(*arguments: str, code: int = 0, **environment: str) -> str:
    """Runs it as in a fresh environment: the only programs are those that pip put there, and no Docker is one."""
    folder = os.path.dirname(sys.executable)
    run = subprocess.run(
        [os.path.join(folder, "pyflyte"), *arguments],
        env={**os.environ, "PATH": folder, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert run.returncode == code, run.stdout
    return run.stdout


def containers(package: Path) -> Dict[str, Any]:
    """The containers of a package's tasks."""
    found = {}
    with tarfile.open(package) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            if member.name.endswith("_1.pb") and content is not None:
                template = task_pb2.TaskSpec.FromString(content.read()).template
                found[template.id.name] = template.container
    return found


def images(package: Path) -> Dict[str, str]:
    """The images of a package's tasks."""
    return {name: container.image for name, container in containers(package).items()}


def tags(registry: str, name: str) -> List[str]:
    """The tags of an image, without those that list what is attached to it."""
    try:
        with urllib.request.urlopen(f"http://{registry}/v2/{name}/tags/list") as answer:
            found: List[str] = json.load(answer)["tags"]
    except urllib.error.HTTPError:
        return []
    return [tag for tag in found if not tag.startswith("sha256-")]
