"""Answers beside their alternates: DPO's value and gradient, and what a run promises, over pairs too."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from blur.core.errors import ArtifactError, DataError
from blur.models.batch import collate, count
from blur.models.encode import Example
from blur.models.forward import Outputs, forward
from blur.unlearn.batches import check_streams, texts_of
from blur.unlearn.loop import train
from blur.unlearn.losses.base import Reference
from blur.unlearn.references import reference_sums
from blur.unlearn.step import Sources
from tests.unlearn.support import (
    Capture,
    examples,
    flat,
    flat_gradient,
    loss,
    paired,
    settings,
    streams,
    tiny_model,
    token_nlls,
    value,
    weights_hash,
)

STREAMS = {**streams(), "forget": paired(streams()["forget"])}
TEXTS = STREAMS["forget"]
SUMS = reference_sums(tiny_model(5), TEXTS)
BATCH = {"forget": [0, 2, 4, 5, 6], "retain": [9, 1, 3, 0, 7]}
DPO = {"name": "dpo", "alternates": "refusals"}


def capture(forget=DPO, sums=SUMS, forget_texts=TEXTS, indices=BATCH, **options):
    updater = Capture(tiny_model(0), settings(forget, **options), Sources({**STREAMS, "forget": forget_texts}, sums))
    record, _ = updater.update(1, indices, 0.0)
    return updater.seen, record


def test_at_the_reference_the_loss_is_known_and_its_gradient_teaches_the_alternate_instead_of_the_answer():
    """(2 / beta) log 2 whatever the texts, and the gradient of nll(alternate) - nll(answer) whatever beta."""
    model = tiny_model(0)
    ours = value(loss("dpo", beta=0.3), model, TEXTS, reference_sums(model, TEXTS))
    assert ours.item() == pytest.approx(2 / 0.3 * math.log(2), rel=1e-13)
    nlls = [[token_nlls(model, row).sum() for row in text.rows] for text in TEXTS]
    taught = sum(sum(others) / len(others) - answer for answer, *others in nlls) / len(TEXTS)
    assert (flat_gradient(ours, model) - flat_gradient(taught, model)).norm() < 1e-10


def of_one_pair(answer: float, alternate: float) -> torch.Tensor:
    """DPO, beta 0.1, of a pair of which the model gained so many nats on each: both have the likelihood 1/2."""
    outputs = Outputs(torch.zeros(2, 2).double(), torch.tensor([0, 1]), torch.tensor([0, 0]), 2, (0,))
    known = torch.tensor([answer, alternate], dtype=torch.float64) + math.log(2)
    return loss("dpo").numerator(outputs, Reference(known))


def test_winner_and_loser_are_not_swapped():
    assert of_one_pair(answer=0, alternate=5).item() == pytest.approx(20 * math.log1p(math.exp(-0.5)), rel=1e-14)
    assert of_one_pair(answer=5, alternate=0).item() == pytest.approx(20 * math.log1p(math.exp(0.5)), rel=1e-14)


def test_a_margin_of_any_size_is_finite():
    """Linear where the answer gained, nothing where the alternate did."""
    assert of_one_pair(answer=1e5, alternate=0).item() == pytest.approx(2e5, rel=1e-14)
    assert of_one_pair(answer=0, alternate=1e5).item() == 0


def test_dpo_on_a_certain_alternate_is_npo():
    """Where nothing is gained on the alternate the margin is NPO's, and so are loss and gradient on the answer."""
    answers = torch.randn(3, 7, dtype=torch.float64, requires_grad=True)
    certain = torch.full((1, 7), -1e9, dtype=torch.float64)
    certain[0, 2] = 0.0
    pair = Outputs(torch.cat([answers, certain]), torch.tensor([0, 0, 0, 1]), torch.tensor([1, 5, 3, 2]), 2, (0,))
    alone = Outputs(answers, torch.tensor([0, 0, 0]), torch.tensor([1, 5, 3]), 1)
    known = torch.tensor([4.0, 0.0], dtype=torch.float64)
    dpo, npo = loss("dpo").numerator(pair, Reference(known)), loss("npo").numerator(alone, Reference(known[:1]))
    assert dpo.item() == pytest.approx(npo.item(), rel=1e-14)
    gradients = [torch.autograd.grad(found.sum(), answers)[0] for found in (dpo, npo)]
    assert (gradients[0] - gradients[1]).norm() < 1e-14


def test_the_mean_is_over_an_answers_alternates_and_then_over_answers():
    """The same as each pair by itself, weighted with one over the number of its answer's alternates."""
    model = tiny_model(0)
    whole = value(loss("dpo"), model, TEXTS, SUMS)
    alone = [
        value(loss("dpo"), model, [replace(text, alternates=(other,))], SUMS) / len(text.alternates)
        for text in TEXTS
        for other in text.alternates
    ]
    assert {len(text.alternates) for text in TEXTS} == {1, 2}
    assert whole.item() == pytest.approx(sum(alone).item() / len(TEXTS), rel=1e-13)


@pytest.mark.parametrize("forget", [DPO, {"name": "alternate_nll", "alternates": "refusals"}])
@pytest.mark.parametrize("accumulation", [2, 4, 7])
def test_an_update_does_not_depend_on_accumulation_or_order(forget, accumulation):
    """Texts and alternates differ in length, so every micro-batch is padded; at 7 some are empty."""
    whole, record = capture(forget)
    turned = {stream: rows[::-1] for stream, rows in BATCH.items()}
    parted, again = capture(forget, accumulation=accumulation, indices=turned)
    assert (whole - parted).norm() <= 1e-12 * whole.norm()
    assert again["forget_loss"] == pytest.approx(record["forget_loss"], rel=1e-13)
    assert again["xi"] == pytest.approx(record["xi"], rel=1e-9)


def test_a_loss_on_answers_does_not_see_their_alternates():
    """Beside DPO on the same stream too: passes are shared only by losses over the same texts."""
    plain, _ = capture("npo", combine="weighted")
    without, _ = capture("npo", combine="weighted", forget_texts=[text.alone for text in TEXTS])
    assert torch.equal(plain, without)
    parts = [capture(term, retain=None, combine="weighted")[0] for term in (DPO, "npo")]
    both = settings(DPO, None, "weighted")
    terms = [{"loss": DPO}, {"loss": "npo"}]
    chosen = type(both).model_validate({**both.model_dump(mode="json"), "forget": terms})
    updater = Capture(tiny_model(0), chosen, Sources(STREAMS, SUMS))
    updater.update(1, BATCH, 0.0)
    assert (updater.seen - sum(parts)).norm() <= 1e-12 * updater.seen.norm()
    assert len(updater.passes[0]) == 2


def test_an_update_prefers_the_alternates():
    model = tiny_model(0)
    known = reference_sums(model, TEXTS)
    train(model, STREAMS, settings(DPO, epochs=3, optimizer={"name": "adamw", "lr": 3e-3}), reference_sums=known)
    after = reference_sums(model, TEXTS)
    gains = [[known[row.id] - after[row.id] for row in text.rows] for text in TEXTS]
    assert all(min(others) > answer for answer, *others in gains)
    assert sum(answer for answer, *_ in gains) < 0 < sum(sum(others) for _, *others in gains)


# Rows, counts, sums


def test_rows_of_a_batch_are_examples_and_then_alternates():
    batch = collate(TEXTS[:2])
    (first, second), rows = TEXTS[:2], [*TEXTS[:2], *TEXTS[0].alternates, *TEXTS[1].alternates]
    assert batch.ids == tuple(row.id for row in rows)
    assert batch.answers == (0, 1, 1)
    for row, ids, labels in zip(rows, batch.input_ids.tolist(), batch.labels.tolist(), strict=True):
        assert ids[: len(row.input_ids)] == row.input_ids
        assert labels[: len(row.input_ids)] == row.labels
    answers, others = forward(tiny_model(0), batch, "scored").pairs
    assert (answers.tolist(), others.tolist()) == ([0, 1, 1], [2, 3, 4])
    assert len(first.alternates) == 1
    assert texts_of([first, second], "alternates") == [*first.alternates, *second.alternates]


@pytest.mark.parametrize("unit", ["token", "position"])
def test_what_is_counted_of_a_pair_is_counted_of_all_its_rows(unit):
    for text in TEXTS:
        assert count(text, unit) == sum(count(row, unit) for row in text.rows)
        assert count(text, "sequence") == 1


def test_reference_sums_are_of_alternates_too():
    rows = [row for text in TEXTS for row in text.rows]
    assert set(SUMS) == {row.id for row in rows}
    model = tiny_model(5)
    assert all(SUMS[row.id] == pytest.approx(token_nlls(model, row).sum().item(), rel=1e-12) for row in rows)
    missing = {id: number for id, number in SUMS.items() if id != TEXTS[1].alternates[1].id}
    with pytest.raises(DataError, match="1 examples have no reference sum for dpo, 'f1~1' first"):
        train(tiny_model(0), STREAMS, settings(DPO), reference_sums=missing)


def given(*alternates: Example, id: str = "a") -> dict[str, list[Example]]:
    return {"forget": [Example(id, [1, 2, 3, 4], 2, alternates=alternates)]}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (given(), "example 'a': no alternate answer. give the record"),
        (given(Example("a~0", [1, 2, 3, 4], 2)), "example 'a~0': the alternate is the answer"),
        (given(Example("a~0", [1, 2], 2)), "example 'a~0': no token to score"),
        (given(Example("a", [1, 2, 5], 2)), "example 'a': the id occurs twice"),
        (given(*(Example("a~0", [1, 2, 5], 2),) * 2), "example 'a~0': the id occurs twice"),
    ],
)
def test_unusable_pairs_are_named(texts, message):
    with pytest.raises(DataError, match=message):
        check_streams(texts, ["forget"], ["forget"])


def test_alternates_are_not_asked_of_a_stream_that_is_not_compared():
    check_streams({"forget": examples(2, "f"), "retain": TEXTS}, ["forget", "retain"], ["retain"])


# Runs


def run(directory=None, texts=TEXTS, **options):
    config = settings(DPO, epochs=3, accumulation=2)
    model, known = tiny_model(0, torch.float32), reference_sums(tiny_model(5), [*texts, *TEXTS])
    return train(model, {**STREAMS, "forget": texts}, config, reference_sums=known, checkpoint_dir=directory, **options)


class CutError(Exception):
    pass


def test_a_run_over_pairs_resumes_to_the_same_weights_and_with_the_same_alternates_only(tmp_path):
    def cut(record, total):
        if record["step"] == 5:
            raise CutError

    with pytest.raises(CutError):
        run(tmp_path, on_step=cut)
    (other,) = TEXTS[0].alternates
    others = [replace(TEXTS[0], alternates=(replace(other, input_ids=[*other.input_ids, 3]),)), *TEXTS[1:]]
    with pytest.raises(ArtifactError, match="other settings, data"):
        run(tmp_path, others)
    again, whole = run(tmp_path), run()
    assert again.resumed_from == 3
    assert weights_hash(again.model) == weights_hash(whole.model)
    assert flat(again.model.parameters()).isfinite().all()
