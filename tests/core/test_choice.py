"""Values of an axis are found by the names of their modules."""

import sys
from pathlib import Path

import pytest

from blur.core.choice import UnknownName, available, find
from blur.unlearn.losses.npo import Loss

LOSSES = "blur.unlearn.losses", "Loss"


def test_a_value_is_found_by_its_module() -> None:
    assert find(*LOSSES, "npo") is Loss


def test_an_unknown_name_is_told_the_nearest_one_and_all() -> None:
    with pytest.raises(UnknownName, match=r"no 'npoo' among activation_mse, .*; did you mean 'npo'\?"):
        find(*LOSSES, "npoo")
    with pytest.raises(UnknownName, match="no 'base' among"):
        find(*LOSSES, "base")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("class Other: ...", "has no class 'Loss'"),
        (
            "from typing import Literal\nfrom blur.unlearn.losses.base import LossBase\n"
            "class Loss(LossBase):\n    name: Literal['odds'] = 'odds'\n",
            r"the class says `name: Literal\['odds'\]`; it has to be the file's name",
        ),
    ],
)
def test_a_module_that_is_not_made_as_the_others_is_named(
    code: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "axis_of_one"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "odd.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    available.cache_clear()
    with pytest.raises(UnknownName, match=rf"axis_of_one.odd.* {said}"):
        find("axis_of_one", "Loss", "odd")
    available.cache_clear()
