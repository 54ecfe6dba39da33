"""A fresh virtual environment, with what ``pip install`` of this package's wheel and of flytekit puts there, on a machine without Docker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path
from typing import List
from urllib.parse import urlparse

import pytest

# What a machine without Docker does not have: everything that builds, pulls, pushes or runs images.
ENGINES = (
    *("docker", "dockerd", "docker-proxy", "containerd", "containerd-shim-runc-v2", "ctr", "nerdctl", "buildctl", "buildkitd"),
    *("podman", "buildah", "kaniko", "crane", "skopeo", "umoci", "runc", "crun"),
)
SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# In a mount namespace of its own, each of them is a file that cannot be executed.
WITHOUT = 'for program in $0; do mount --bind /dev/null "$program"; done; exec "$@"'


@dataclass(frozen=True)
class Fresh:
    """The environment. Its programs, and a bare system's without those that know images, are all that is on ``PATH``."""

    folder: Path

    @classmethod
    def install(cls, folder: Path, *packages: str) -> Fresh:
        """Makes it as a user does, with the wheel that is installed here, this flytekit, and the packages."""
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        installed = distribution("imagewright").read_text("direct_url.json")
        if installed is None:
            pytest.skip("imagewright is not installed from a wheel")
        wheel = urlparse(json.loads(installed)["url"]).path
        pip = [folder / "bin/pip", "install", "--quiet", wheel, f"flytekit=={version('flytekit')}", *packages]
        subprocess.run(pip, check=True)
        return cls(folder)

    def run(self, program: str, *arguments: str, code: int = 0, **environment: str) -> str:
        """What one of its programs says on that machine."""
        path = f"{self.folder}/bin:{SYSTEM}"
        namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
        # What is installed is used, and nothing that the tests have besides.
        inherited = {name: value for name, value in os.environ.items() if name != "IMAGEWRIGHT_UV"}
        command = [*namespace, "sh", "-c", WITHOUT, " ".join(engines_on(path))]
        run = subprocess.run(
            [*command, str(self.folder / "bin" / program), *arguments],
            env={**inherited, "PATH": path, "DOCKER_HOST": "unix:///nonexistent", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        assert run.returncode == code, run.stdout
        return run.stdout

    def engines(self) -> List[str]:
        """The programs that know images and could be executed."""
        look = f"import shutil; print(*filter(shutil.which, {ENGINES}))"
        return self.run("python", "-c", look).split()


def engines_on(path: str) -> List[str]:
    """The programs that are there and know images."""
    found = (shutil.which(engine, path=folder) for engine in ENGINES for folder in path.split(":"))
    return sorted({os.path.realpath(program) for program in found if program})
