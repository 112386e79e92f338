"""The families that must work, each through everything (``tests/families.py``); docs/models.md tells of them."""

from __future__ import annotations

import pytest

from tests import families
from tests.architectures import MUST


@pytest.mark.parametrize("name", MUST)
def test_family(name, tmp_path):
    families.check(name, tmp_path / "model")
