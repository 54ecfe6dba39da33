"""Images in the registry of the tests, by its own API."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from typing import Any, Dict, Tuple

_KINDS = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
]


def _address(image: str) -> Tuple[str, str, str]:
    host, rest = image.split("/", 1)
    name, tag = rest.replace("@", ":", 1).split(":", 1) if "@" in rest else rest.rsplit(":", 1)
    return f"http://{host}/v2", name, tag


def manifest(image: str) -> Dict[str, Any]:
    """The manifest of an image, or its index."""
    found: Dict[str, Any] = json.loads(_manifest(image)[0])
    return found


def digest(image: str) -> str:
    """The digest of an image's manifest."""
    return f"sha256:{hashlib.sha256(_manifest(image)[0]).hexdigest()}"


def _manifest(image: str) -> Tuple[bytes, str]:
    api, name, tag = _address(image)
    asked = urllib.request.Request(f"{api}/{name}/manifests/{tag}", headers={"Accept": ", ".join(_KINDS)})
    with urllib.request.urlopen(asked) as answer:
        return answer.read(), answer.headers["Content-Type"]


def blob(image: str, digest: str) -> bytes:
    """A blob of an image."""
    api, name, _ = _address(image)
    with urllib.request.urlopen(f"{api}/{name}/blobs/{digest}") as answer:
        content: bytes = answer.read()
        return content


def rename(image: str, name: str) -> None:
    """Gives an image another name in its registry."""
    content, kind = _manifest(image)
    mount(image, name)
    put(name, content, kind)


def mount(image: str, name: str) -> None:
    """Gives the repository of ``name`` the blobs of an image."""
    told = manifest(image)
    _, source, _ = _address(image)
    api, repository, _ = _address(name)
    for part in [told["config"], *told["layers"]]:
        mounted = f"{api}/{repository}/blobs/uploads/?mount={part['digest']}&from={source}"
        urllib.request.urlopen(urllib.request.Request(mounted, method="POST")).close()


def upload(name: str, content: bytes) -> str:
    """Puts a blob into the repository of ``name``; its digest."""
    api, repository, _ = _address(name)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    begin = urllib.request.Request(f"{api}/{repository}/blobs/uploads/", method="POST")
    with urllib.request.urlopen(begin) as answer:
        place = answer.headers["Location"]
    request = urllib.request.Request(f"{place}&digest={digest}", data=content, method="PUT")
    request.add_header("Content-Type", "application/octet-stream")
    urllib.request.urlopen(request).close()
    return digest


def put(name: str, content: bytes, kind: str) -> None:
    """Puts a manifest or an index under a tag or a digest."""
    api, repository, tag = _address(name)
    request = urllib.request.Request(f"{api}/{repository}/manifests/{tag}", data=content, method="PUT")
    request.add_header("Content-Type", kind)
    urllib.request.urlopen(request).close()


def for_two_platforms(image: str, name: str) -> None:
    """An index under ``name`` with an image for amd64, and the same files as one for arm64."""
    content, kind = _manifest(image)
    told = json.loads(content)
    mount(image, name)
    repository = name.rsplit(":", 1)[0]
    listed = []
    for architecture in ("amd64", "arm64"):
        config = {**json.loads(blob(image, told["config"]["digest"])), "architecture": architecture}
        text = json.dumps(config).encode()
        described = {**told["config"], "digest": upload(name, text), "size": len(text)}
        manifest = json.dumps({**told, "config": described}).encode()
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        put(f"{repository}@{digest}", manifest, kind)
        platform = {"os": "linux", "architecture": architecture}
        listed.append({"mediaType": kind, "digest": digest, "size": len(manifest), "platform": platform})
    index = {"schemaVersion": 2, "mediaType": _KINDS[1], "manifests": listed}
    put(name, json.dumps(index).encode(), _KINDS[1])
