"""Further families, each through everything; in a file of their own, so that two workers of pytest share the work."""

from __future__ import annotations

import pytest

from tests import families
from tests.architectures import MAY

STATE_SPACE = ("mamba", "mamba2", "jamba")  # most of what a mixer holds cannot be adapted


@pytest.mark.parametrize("name", MAY)
def test_family(name, tmp_path):
    families.check(name, tmp_path / "model", adaptable=0.4 if name in STATE_SPACE else 0.9)
