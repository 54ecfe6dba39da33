"""What the tests share. The environment tells them of peers, as it does the tests of the program."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def registry() -> str:
    """``localhost:PORT`` of a running registry."""
    named = os.environ.get("IMAGEWRIGHT_TEST_REGISTRY")
    if not named:
        pytest.skip("IMAGEWRIGHT_TEST_REGISTRY is not set")
    return named


@pytest.fixture(scope="session")
def network() -> None:
    """The package indexes may be used."""
    if not os.environ.get("IMAGEWRIGHT_TEST_NETWORK"):
        pytest.skip("IMAGEWRIGHT_TEST_NETWORK is not set")


@pytest.fixture
def unique() -> str:
    """A name for an image that no other test pushes."""
    return f"python-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
