"""What a metric says it looks up is what it looks up: attacks measure nothing else."""

from __future__ import annotations

import pytest

from blur.core.choice import available
from blur.measurements import ChoiceRow, GradnormRow, Measurements
from blur.metrics.kinds.base import PACKAGE, Reads
from blur.metrics.specs import compute_all, read_specs, reads_of, with_parts
from tests.metrics.builders import measured, row, said

SETS, FIELDS = ("s", "t", "u"), ("answer", "paraphrased_answer", "perturbed_answer", "text", "generated", "expected")
SPECS = [
    {"metric": "probability", "set": "s"},
    {"metric": "probability", "set": "s", "field": "text"},
    {"metric": "exact_memorization", "set": "t"},
    {"metric": "extraction_strength", "set": "s", "field": "text"},
    {"metric": "probability_with_options", "set": "s"},
    {"metric": "truth_ratio", "set": "s", "truth": "paraphrased_answer", "aggregate": "closeness"},
    {"metric": "forget_quality", "set": "s", "truth": "paraphrased_answer"},
    {"metric": "perplexity", "sets": ["s", "t"], "field": "text"},
    {"metric": "privleak", "members": "s", "nonmembers": "t"},
    *(
        {"metric": "mia", "attack": attack, "members": "s", "nonmembers": "t"}
        for attack in ("loss", "zlib", "min_k", "min_k_plus_plus", "gradnorm", "reference")
    ),
    {"metric": "mia_score", "attack": "zlib", "members": "s", "nonmembers": "t"},
    {"metric": "mia_likeness", "attack": "min_k", "members": "s", "nonmembers": "t"},
    {"metric": "fluency", "set": "s", "references": "t"},
    {"metric": "rouge_l_recall", "set": "s"},
    {"metric": "exact_match", "set": "s"},
    {"metric": "rouge_l_f1", "set": "t"},
    {"metric": "repetition", "sets": ["s", "t"]},
    {"metric": "accuracy", "request": "s"},
    {"metric": "option_accuracy", "set": "s"},
    {"metric": "token_accuracy", "sets": ["s", "t"]},
    {"metric": "approximate_gap", "of": "perplexity", "set": "s", "approximate": "t", "field": "text"},
    {"metric": "approximate_gap", "of": "accuracy", "set": "s", "approximate": "u"},
]
PART = {"name": "part", "metric": "probability", "set": "s"}


class Watched(Measurements):
    """Remembers what is looked up."""

    def __init__(self, whole: Measurements) -> None:
        super().__init__(**whole.rows)
        self.seen = Reads()

    def likelihood(self, set, field):
        self.seen |= Reads(likelihoods=frozenset([(set, field)]))
        return super().likelihood(set, field)

    def generations(self, set):
        self.seen |= Reads(generations=frozenset([set]))
        return super().generations(set)

    def gradnorm(self, set):
        self.seen |= Reads(gradnorm=frozenset([set]))
        return super().gradnorm(set)

    def choices(self, request):
        self.seen |= Reads(choices=frozenset([request]))
        return super().choices(request)


def everything():
    rows = []
    for name in SETS:
        rows += [row(item, [-1.0, -2.0], set=name, field=field) for item in "ab" for field in FIELDS]
        rows += [said(item, "one two three four five", "one two", set=name) for item in "ab"]
        rows += [GradnormRow(name, item, 1.0) for item in "ab"]
        rows += [ChoiceRow(name, item, "", "Q", ["x", "y"], [-1.0, -2.0], 0) for item in "ab"]
    return measured(*rows)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: "-".join([spec["metric"], spec.get("attack", "")]))
def test_a_metric_looks_up_what_it_says(spec):
    model, spec = Watched(everything()), {"name": "it", **spec}
    compute_all([spec], model, {"retrained": everything(), "target": everything()})
    assert reads_of(read_specs([spec])) == model.seen != Reads()
    named = {name for value in spec.values() for name in ([value] if isinstance(value, str) else value)}
    assert model.seen.sets == named & {*SETS}


def test_every_metric_is_among_them_or_made_of_others():
    composites = {"harmonic_mean", "mean", "pooled"}
    assert {spec["metric"] for spec in SPECS} | composites == {*available(PACKAGE)}
    for metric in composites:
        both = read_specs([PART, {"name": "it", "metric": metric, "of": ["part"]}])
        assert reads_of(both) == reads_of(both[:1])


def test_parts_come_with_what_is_made_of_them():
    mean = {"metric": "harmonic_mean"}
    other, whole = {**PART, "name": "other"}, {**mean, "name": "whole", "of": ["mean"]}
    specs = read_specs([other, PART, {**mean, "name": "mean", "of": ["part"]}, whole])
    assert [spec.name for spec in with_parts(["whole"], specs)] == ["part", "mean", "whole"]
    assert [spec.given for spec in with_parts(["part"], specs)] == [PART]
    assert with_parts([], specs) == []
