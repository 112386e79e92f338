"""A hub of a few small repositories, and a check that it was asked nothing that it does not know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.app import UNKNOWN
from tests.hub.server import served


@pytest.fixture(scope="session")
def hub_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="session")
def address(hub_folder: Path) -> Iterator[str]:
    with served(hub_folder) as found:
        yield found


@pytest.fixture(autouse=True)
def _asked_nothing_unknown(hub_folder: Path) -> Iterator[None]:
    yield
    log = hub_folder / UNKNOWN
    asked = log.read_text() if log.is_file() else ""
    log.unlink(missing_ok=True)
    assert not asked, f"the hub does not know what it was asked:\n{asked}"
