"""What the program answers, as objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List


@dataclass(frozen=True)
class BuildResult:
    """What a build did."""

    #: The name of the image, with registry and tag.
    image: str
    #: The digest of its manifest, or of its index.
    digest: str
    #: ``built``, ``exists``, ``stale-rebuilt`` or ``named``.
    status: str
    #: Bytes that were sent to the registry.
    bytes_uploaded: int
    #: Seconds that it took.
    seconds: float
    #: Everything that ``imagewright build --json`` prints.
    report: Dict[str, Any]

    @classmethod
    def parse(cls, text: str) -> BuildResult:
        """What ``build --json`` printed of one image."""
        import json

        report = json.loads(text)
        names = ("image", "digest", "status", "bytes_uploaded", "seconds")
        return cls(**{name: report[name] for name in names}, report=report)


@dataclass(frozen=True)
class Plan:
    """What a build would do."""

    #: The name of the image.
    image: str
    #: For each platform its base and its layers, as ``imagewright plan --json`` prints them.
    platforms: List[Dict[str, Any]]

    @classmethod
    def parse(cls, text: str) -> Plan:
        import json

        report = json.loads(text)
        return cls(report["image"], report["platforms"])
