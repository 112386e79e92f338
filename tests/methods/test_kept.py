"""What is kept beside the forgetting: general text or text of the forgotten kind (Yao et al.), or nothing but that."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from blur.config.plan import Plan
from blur.config.task import Run
from blur.core.errors import ConfigError
from blur.unlearn.settings import UnlearnSettings

CONFIG = Path(__file__).parents[2] / "config"
PLAN = Plan(CONFIG, {"scale": "study"})


@pytest.mark.parametrize(
    ("method", "loss", "tofu", "wmdp"),
    [
        ("ga_gdr_general", "nll", {"": ["general"]}, {"": ["retain"]}),
        ("ga_gdr_same", "nll", {"": ["retain"]}, {"bio": ["bio_retain"], "cyber": ["cyber_retain"]}),
        ("ga_klr_general", "kl", {"": ["general"]}, {"": ["retain"]}),
        ("ga_klr_same", "kl", {"": ["retain"]}, {"bio": ["bio_retain"], "cyber": ["cyber_retain"]}),
    ],
)
def test_four_methods_keep_one_of_two_kinds_of_text(
    method: str, loss: str, tofu: dict[str, list[str]], wmdp: dict[str, list[str]]
) -> None:
    for task, wanted in (("tofu", tofu), ("wmdp", wmdp)):
        run = Run(task, method)
        settings = PLAN.method_settings(run)
        assert isinstance(settings, UnlearnSettings)
        (term,) = settings.retain
        assert term.loss.name == loss
        assert PLAN.streams(run)[term.stream] == wanted


def test_fine_tuning_keeps_only_and_says_so() -> None:
    settings = PLAN.method_settings(Run("tofu", "fine_tune"))
    assert isinstance(settings, UnlearnSettings)
    assert (settings.forget, settings.streams, settings.separate) == ((), ["retain"], False)


def test_a_method_that_lacks_a_forget_side_by_mistake_is_refused(tmp_path: Path) -> None:
    shutil.copytree(CONFIG, tmp_path / "config")
    file = tmp_path / "config/methods/fine_tune.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text("\n".join(line for line in text.splitlines() if "forget: []" not in line), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"key 'forget' is missing: nothing would be forgotten.*`forget: \[\]`"):
        Plan(tmp_path / "config", {"scale": "study"}).method_settings(Run("tofu", "fine_tune"))
