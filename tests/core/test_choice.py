"""Values of an axis are found by the names of their modules."""

import pytest

from blur.core.choice import UnknownName, find
from blur.unlearn.losses.npo import Loss

LOSSES = "blur.unlearn.losses", "Loss"


def test_a_value_is_found_by_its_module() -> None:
    assert find(*LOSSES, "npo") is Loss


def test_an_unknown_name_is_told_the_nearest_one_and_all() -> None:
    with pytest.raises(UnknownName, match=r"no 'npoo' among activation_mse, .*; did you mean 'npo'\?"):
        find(*LOSSES, "npoo")
    with pytest.raises(UnknownName, match="no 'base' among"):
        find(*LOSSES, "base")
