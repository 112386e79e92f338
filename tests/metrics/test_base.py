"""The look-up of metrics by name, errors before any measurement, and the treatment of undefined values."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blur.core.choice import available
from blur.core.errors import ArtifactError, BlurError, ConfigError, DataError
from blur.metrics import Outcome, compute_all, read_specs
from blur.metrics.kinds.base import mean_of
from tests.metrics.builders import compute, measured, row

GOOD = {"name": "p", "metric": "probability", "set": "s"}
MIA = {"name": "m", "metric": "mia", "attack": "gradnorm", "members": "a", "nonmembers": "b"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {**GOOD, "metric": "probabilty"},
            "metric p: key 'metric': no 'probabilty' among .*did you mean 'probability'",
        ),
        ({**GOOD, "metric": "base"}, "no 'base' among accuracy"),
        ({**GOOD, "metric": "../store"}, "no '../store' among"),
        ({**GOOD, "feild": "text"}, "metric p: key 'metric': probability: no parameter 'feild'; did you mean 'field'"),
        ({**GOOD, "context": 1}, "no parameter 'context'"),
        ({"name": "p", "metric": "probability"}, "'set' is missing"),
        ({**GOOD, "given": {}}, "no parameter 'given'"),
        ({**GOOD, "metric": {"name": "probability"}}, "give a name, one of accuracy"),
        ({**GOOD, "eos": "yes"}, "should be true or false"),
        ({**GOOD, "set": ["s"]}, "should be a text"),
        ({**GOOD, "direction": "up"}, "key 'direction': .*'higher', 'lower', 'zero' or 'match'"),
        ({"metric": "probability", "set": "s"}, "metric {'metric': 'probability'.*key 'name' is missing"),
        ({"name": "p", "set": "s"}, "metric p: key 'metric' is missing"),
        ({**GOOD, "metric": 3}, "give a name, one of accuracy"),
        ({"name": "h", "metric": "harmonic_mean", "of": ["later"]}, "no metric 'later' before this one"),
        ({"name": "t", "metric": "truth_ratio", "set": "s", "truth": "a", "aggregate": "closenes"}, "'closeness'"),
        ({"name": "m", "metric": "mia", "attack": "mink", "members": "a", "nonmembers": "b"}, "'min_k'"),
        ({**MIA, "eos": True}, "metric m: key 'metric': mia: gradnorm takes no `eos`.*Remove `eos`"),
        ({**MIA, "eos": False}, "gradnorm takes no `eos`"),
    ],
)
def test_read_specs_refuses(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_specs([spec])


def test_read_specs_takes_eos_of_other_attacks() -> None:
    read_specs([MIA, {**MIA, "name": "k", "attack": "min_k", "eos": True}])


def test_read_specs_refuses_a_name_given_twice() -> None:
    with pytest.raises(ConfigError, match="given to two metrics"):
        read_specs([GOOD, GOOD])


def test_read_specs_is_cheap_enough_for_planning() -> None:
    code = (
        "import sys\nfrom blur.metrics import read_specs\n"
        "read_specs([{'name': 'q', 'metric': 'forget_quality', 'set': 's', 'truth': 'answer'},"
        "{'name': 'r', 'metric': 'rouge_l_recall', 'set': 's'}])\n"
        "sys.exit(any(name in sys.modules for name in ('scipy', 'rouge_score', 'nltk', 'pyarrow', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_metric_is_found_by_its_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import blur.metrics.kinds

    source = "from blur.metrics.kinds.base import MetricBase, Outcome, Reads\n\n\n"
    source += "class Metric(MetricBase):\n    level: float\n"
    source += "    def reads(self):\n        return Reads()\n"
    source += "    def compute(self, context):\n        return Outcome(self.level, 'higher', 1)\n"
    (tmp_path / "brand_new.py").write_text(source)
    monkeypatch.setattr(blur.metrics.kinds, "__path__", [*blur.metrics.kinds.__path__, str(tmp_path)])
    available.cache_clear()
    try:
        assert compute("brand_new", measured(), level=0.25).value == 0.25
    finally:
        available.cache_clear()
        sys.modules.pop("blur.metrics.kinds.brand_new", None)


def test_direction_of_the_specification_wins() -> None:
    model = measured(row("1", [-1.0]))
    assert compute("probability", model, set="s").direction == "higher"
    assert compute("probability", model, set="s", direction="lower").direction == "lower"


def test_missing_reference_is_an_error_unless_the_task_has_none() -> None:
    spec = {"name": "q", "metric": "forget_quality", "set": "s", "truth": "answer"}
    with pytest.raises(ArtifactError, match="metric q: needs the measurements of the retrained model"):
        compute_all([spec], measured(row("1", [-1.0])), {})
    metric = compute_all([spec], measured(row("1", [-1.0])), {}, frozenset({"retrained"}))["q"]
    assert (metric.value, metric.reason) == (None, "not defined: task has no retrained model")
    assert metric.direction == "higher"


def test_one_nan_makes_a_mean_undefined_and_never_a_mean_of_the_rest() -> None:
    metric = mean_of({"s": {"a": 1.0, "b": math.nan}}, "higher")
    assert metric.value is None
    assert metric.reason is not None
    assert "1 of 2 items are NaN" in metric.reason
    assert metric.items == {"s": {"a": 1.0}}


def test_inapplicable_items_are_left_out_and_counted() -> None:
    metric = mean_of({"s": {"a": 1.0, "b": None, "c": 0.5}}, "higher")
    assert (metric.value, metric.n, metric.details) == (0.75, 2, {"skipped": 1.0})
    assert mean_of({"s": {"a": None}}, "higher").reason == "none of the 1 items can be scored"


def test_no_item_is_an_error() -> None:
    with pytest.raises(DataError, match="no item"):
        mean_of({"s": {}}, "higher")
    with pytest.raises(BlurError, match="no likelihood of set 's'"):
        compute("probability", measured(), set="s")


@pytest.mark.parametrize(
    "fields",
    [
        {"value": math.nan},
        {"value": math.inf},
        {"value": None},
        {"value": 1.0, "reason": "why"},
        {"value": 1.0, "details": {"d": math.nan}},
        {"value": 1.0, "items": {"s": {"a": math.nan}}},
    ],
)
def test_a_metric_cannot_hold_nan_or_be_silent_about_none(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not finite|reason"):
        Outcome(direction="higher", n=1, **fields)
