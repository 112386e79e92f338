"""One process against two (gloo): the same update, whatever share of the batch each holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from blur.unlearn.batches import split
from blur.unlearn.loop import train
from blur.unlearn.references import reference_sums
from blur.unlearn.step import Sources
from tests.unlearn.parallel import in_two_processes
from tests.unlearn.support import Capture, flat, flat_gradient, loss, settings, streams, tiny_model, value

STREAMS = streams()
BATCH = {"forget": [0, 2, 4, 5, 6], "retain": [9, 1, 3, 0, 7]}
LONE = {"forget": [3], "retain": [4]}
TOPICAL = {
    "forget": [replace(text, topic="bio" if number < 4 else "cyber") for number, text in enumerate(STREAMS["forget"])],
    "retain": STREAMS["retain"],
}
RMU = {"forget": {"name": "rmu", "layer": 0, "coefficient": 6.5}, "retain": {"name": "activation_mse", "layer": 0}}


def known_sums():
    return reference_sums(tiny_model(5), STREAMS["forget"])


def direction(dtype, indices, **options):
    model = tiny_model(0, dtype)
    updater = Capture(model, settings(**options), Sources(TOPICAL, known_sums(), tiny_model(5, dtype)))
    record, _ = updater.update(1, indices, 0.0)
    return updater.seen.double(), record


def results():
    """Everything that must not depend on the number of processes."""
    found = {
        "double": direction(torch.float64, BATCH),
        "single": direction(torch.float32, BATCH),
        "accumulated": direction(torch.float64, BATCH, accumulation=2),
        "weighted": direction(torch.float64, BATCH, combine="weighted"),
        "lone": direction(torch.float64, LONE),
        "bfloat16": direction(torch.bfloat16, BATCH),
        "rmu": direction(torch.float64, BATCH, combine={"name": "weighted", "lam": 1200.0}, **RMU),
        "blur_rmu": direction(torch.float64, BATCH, combine={"name": "bilevel", "gamma": 1 / 800}, **RMU),
        "blur_rmu_accumulated": direction(torch.float64, BATCH, accumulation=2, **RMU),
        "blur_rmu_lone": direction(torch.float64, LONE, **RMU),
    }
    model = tiny_model(0)
    records = train(model, STREAMS, settings(steps=5), reference_sums=known_sums()).records
    found["five"] = (flat(model.parameters()), records[-1] if records else {})
    model = tiny_model(0)
    records = train(model, TOPICAL, settings(steps=5, **RMU), reference_model=tiny_model(5)).records
    found["five_of_topics"] = (flat(model.parameters()), records[-1] if records else {})
    return found


def work(folder):
    return results()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    return in_two_processes(work, tmp_path_factory.mktemp("ranks"))


def test_two_processes_make_the_update_of_one(ranks):
    """Bar 3, fault 20: five texts split 2 and 3, and one text of which the first process holds nothing."""
    bars = {"single": 1e-5, "five": 1e-9, "five_of_topics": 1e-9, "bfloat16": 3e-2}
    for name, (expected, record) in results().items():
        for rank in ranks:
            bar = bars.get(name, 1e-12)
            assert (rank[name][0] - expected).norm() <= bar * expected.norm(), name
        if name not in bars:
            for key, number in record.items():
                if number is None:
                    assert ranks[0][name][1][key] is None
                else:
                    assert ranks[0][name][1][key] == pytest.approx(number, rel=1e-9), (name, key)


def test_processes_agree_to_the_last_bit(ranks):
    for name in ranks[0]:
        assert torch.equal(ranks[0][name][0], ranks[1][name][0]), name


def test_blur_fault_20_local_gradients_would_make_the_processes_diverge(ranks):
    model, sums, updates = tiny_model(0), known_sums(), []
    for rank in range(2):
        forget, retain = ([STREAMS[s][i] for i in split(BATCH[s], 2)[rank]] for s in ("forget", "retain"))
        f = flat_gradient(value(loss("npo"), model, forget, sums), model)
        r = flat_gradient(value(loss("nll"), model, retain), model)
        updates.append(r + (1 - (f @ r) / (f @ f)) * f)
    right = ranks[0]["double"][0]
    assert (updates[0] - updates[1]).norm() > 0.1 * right.norm()
    assert ((updates[0] + updates[1]) / 2 - right).norm() > 1e-2 * right.norm(), "nor is their mean the update"
