"""A set without records makes its metrics undefined with a reason; it never makes them zero or fails the rest."""

from blur.measurements import LikelihoodRow, Measurements
from blur.metrics import compute_all

ROW = LikelihoodRow("eval_forget", "a", "answer", 0, "x", [-0.5, -0.1], [True, True], [-1.0, -1.0], [1.0, 1.0], True)
SPECS = [
    {"name": "forget_probability", "metric": "probability", "set": "eval_forget"},
    {"name": "mia_loss", "metric": "mia", "attack": "loss", "members": "eval_forget", "nonmembers": "holdout"},
]


def test_metrics_of_an_empty_set_are_not_defined() -> None:
    metrics = compute_all(SPECS, Measurements([ROW]), {}, empty_sets=frozenset({"holdout"}))
    assert metrics["forget_probability"].value is not None
    assert metrics["mia_loss"].value is None
    assert metrics["mia_loss"].reason == "not defined: the task has no records of set 'holdout'"
