"""What the tests of the owner's commands share."""

from __future__ import annotations

import pytest

from tests.owner.example import Example, make


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """Five documents to forget, and the models; read only."""
    return make(tmp_path_factory.mktemp("example"), steps=60)
