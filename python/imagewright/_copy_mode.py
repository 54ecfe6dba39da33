"""Which files are copied into an image."""

from __future__ import annotations

from enum import Enum


class CopyFileDetection(Enum):
    """Which files of ``source_root`` are copied into an image; names and values are flytekit's.

    >>> from imagewright import ImageSpec
    >>> ImageSpec(source_root=".", source_copy_mode=CopyFileDetection.ALL).source_copy_mode.name
    'ALL'
    """

    #: The modules that are imported when the spec is used.
    LOADED_MODULES = 1
    #: All files.
    ALL = 2
    #: None.
    NO_COPY = 3

    def __eq__(self, other: object) -> bool:
        """Whether it is the same mode, also where the other is of flytekit's enumeration."""
        return isinstance(other, Enum) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(self.name)
