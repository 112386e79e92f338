"""Which first moments a step keeps, against steps written out in float64; and whether a step keeps its promise."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from blur.unlearn.loop import train
from blur.unlearn.momentum import RetainMoment
from blur.unlearn.references import reference_sums
from blur.unlearn.step import Sources, Updater
from tests.unlearn.support import flat, flat_gradient, loss, settings, streams, tiny_model, value, weights_hash
from tests.unlearn.test_loop import CutError, cut_at, raise_cut

STREAMS = streams(7, 7)
SUMS = reference_sums(tiny_model(5), STREAMS["forget"])
LR, STEPS, BETAS = 1e-2, 4, (0.9, 0.99)
ADAMW = {"name": "adamw", "lr": LR, "betas": BETAS}
SGD = {"name": "sgd", "lr": 1e-3, "momentum": 0.9}
BILEVEL = {"name": "bilevel", "gamma": 0.5}
WEIGHTED = {"name": "weighted", "lam": 0.3}
MOMENTA = ("update", "none", "retain")


def chosen(combine=BILEVEL, momentum="update", optimizer=ADAMW, **others):
    options = {"batch_size": 7, "steps": STEPS, **others}
    return settings(combine={**combine, "momentum": momentum}, optimizer=optimizer, **options)


def by_hand(combine, momentum, optimizer):
    """Steps along D u or u, with u of g_f and g_r or m_r, and what each did to the forget loss to first order."""
    model, kept = tiny_model(), []
    m = v = m_r = buffer = 0.0
    beta = optimizer.get("betas", (optimizer.get("momentum"),))[0]
    for step in range(1, STEPS + 1):
        f = flat_gradient(value(loss("npo"), model, STREAMS["forget"], SUMS), model)
        r = flat_gradient(value(loss("nll"), model, STREAMS["retain"]), model)
        if momentum == "retain":
            m_r = beta * m_r + (1 - beta) * r
            r = m_r / (1 - beta**step)
        u = f + 0.3 * r if combine is WEIGHTED else r + (0.5 - (f @ r) / (f @ f)) * f
        if optimizer["name"] == "sgd":
            buffer = beta * buffer + u
            delta = buffer if momentum == "update" else u
        else:
            first = beta if momentum == "update" else 0.0
            m, v = first * m + (1 - first) * u, BETAS[1] * v + (1 - BETAS[1]) * u**2
            delta = m / (1 - first**step) / ((v / (1 - BETAS[1] ** step)).sqrt() + 1e-8)
        moved, start = optimizer["lr"] * delta, 0
        kept.append((f @ moved).item())
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= moved[start : start + parameter.numel()].view_as(parameter)
                start += parameter.numel()
    return flat(model.parameters()), kept


@pytest.mark.parametrize("optimizer", [ADAMW, SGD], ids=["adamw", "sgd"])
@pytest.mark.parametrize("combine", [BILEVEL, WEIGHTED], ids=["bilevel", "weighted"])
@pytest.mark.parametrize("momentum", MOMENTA)
def test_steps_are_those_written_out(momentum, combine, optimizer):
    expected, kept = by_hand(combine, momentum, optimizer)
    config = chosen(combine, momentum, optimizer, log_gradients=True)
    result = train(tiny_model(), STREAMS, config, reference_sums=SUMS)
    moved = (expected - flat(tiny_model().parameters())).norm()
    # The keys' biases have no gradient but rounding, of which AdamW makes steps of up to 1e-17 / eps.
    assert (flat(result.model.parameters()) - expected).norm() < 1e-8 * moved
    for record, by_step in zip(result.records, kept, strict=True):
        assert record["kept"] == pytest.approx(by_step, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    ("momentum", "optimizer", "states"),
    [
        ("update", ADAMW, {"exp_avg", "exp_avg_sq"}),
        ("none", ADAMW, {"exp_avg_sq"}),
        ("retain", ADAMW, {"exp_avg_sq", "retain"}),
        ("update", SGD, {"momentum_buffer"}),
        ("none", SGD, set()),
        ("retain", SGD, {"retain"}),
        ("retain", {"name": "sophia", "lr": LR}, {"h", "retain"}),
        ("update", {"name": "sophia", "lr": LR}, {"h", "m"}),
    ],
)
def test_what_is_kept_is_what_is_declared(momentum, optimizer, states):
    config = chosen(momentum=momentum, optimizer=optimizer)
    updater = Updater(tiny_model(), config, Sources(STREAMS, SUMS))
    updater.update(1, {side: range(7) for side in STREAMS}, LR)
    for share in updater.trainable.shares:
        kept = {**updater.states["optimizer"].get(share, {}), **updater.states["combine"].get(share, {})}
        assert {key for key, one in kept.items() if getattr(one, "shape", None) == share.shape} == states
    assert config.states == len(states)


def test_adamw_without_a_first_moment_is_torch_s_at_beta1_0_to_the_bit():
    generator = torch.Generator().manual_seed(0)
    shapes = [(30, 7), (200,), (1,)]
    ours, theirs = ([torch.nn.Parameter(torch.ones(shape)) for shape in shapes] for _ in range(2))
    config = settings(optimizer={**ADAMW, "weight_decay": 0.1}).optimizer.without_first_moment()
    mine = config.build(ours)
    torchs = torch.optim.AdamW(config.groups(theirs), lr=LR, betas=config.betas, eps=config.eps, fused=True)
    for step in range(5):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=generator) if step or one.ndim > 1 else None
            other.grad = None if one.grad is None else one.grad.clone()
        given = [None if one.grad is None else one.grad.clone() for one in ours]
        mine.step()
        torchs.step()
        assert all(one.grad is None or torch.equal(one.grad, was) for one, was in zip(ours, given, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("combine", [BILEVEL, WEIGHTED], ids=["bilevel", "weighted"])
@pytest.mark.parametrize("scope", ["all", {"name": "saliency", "granularity": "row", "percentile": 80}])
def test_retain_momentum_is_resumed_to_the_same_bits(tmp_path, combine, scope):
    config = chosen(combine, "retain", scope=scope, batch_size=3, steps=None, epochs=3)
    sums = reference_sums(tiny_model(5, torch.float32), STREAMS["forget"])

    def run(directory=None, **others):
        model = tiny_model(0, torch.float32)
        return train(model, STREAMS, config, reference_sums=sums, checkpoint_dir=directory, **others)

    whole = run()
    with pytest.raises(CutError):
        run(tmp_path, on_step=cut_at(5, raise_cut))
    again = run(tmp_path)
    assert again.resumed_from == 3
    assert weights_hash(again.model) == weights_hash(whole.model)


def test_a_gradient_that_is_missing_at_a_step_is_zero_there():
    shares = [torch.nn.Parameter(torch.zeros(3)) for _ in range(2)]
    moment, one = RetainMoment(shares, 0.5), torch.ones(3)
    assert moment.of([one.clone(), None], 1)[1] is None
    second = moment.of([None, one.clone()], 2)
    assert torch.allclose(second[0], torch.full((3,), (0.5 * 0.5) / 0.75))
    assert torch.allclose(second[1], torch.full((3,), 0.5 / 0.75))


def test_masters_keep_the_moment_of_bfloat16_gradients_in_float32():
    config = chosen(momentum="retain", master_weights=True)
    sums = reference_sums(tiny_model(5, torch.bfloat16), STREAMS["forget"])
    updater = Updater(tiny_model(0, torch.bfloat16), config, Sources(STREAMS, sums))
    updater.update(1, {side: range(7) for side in STREAMS}, LR)
    assert {state["retain"].dtype for state in updater.states["combine"].values()} == {torch.float32}


# The promise: a step along u lets the forget loss fall by lr <g_f, u>, to first order.


def records(combine=BILEVEL, momentum="update", optimizer=ADAMW, dtype=torch.float32, **others):
    """Of steps in conflict: what is to be forgotten and what is to be kept are the same texts, in other batches."""
    config = chosen(combine, momentum, optimizer, batch_size=2, steps=12, log_gradients=True, **others)
    texts = {"forget": STREAMS["forget"], "retain": [replace(text, id=f"r{text.id}") for text in STREAMS["forget"]]}
    return train(tiny_model(0, dtype), texts, config, reference_sums=SUMS).records


def share_kept(found):
    return sum(record["kept"] > 0 for record in found) / len(found)


@pytest.mark.parametrize("optimizer", [{"name": "sgd", "lr": 1e-3}, {**SGD, "momentum": 0.9}])
def test_under_sgd_a_step_does_what_was_promised(optimizer):
    for record in records(momentum="none", optimizer=optimizer, dtype=torch.float64, max_grad_norm=2.0):
        assert record["kept"] == pytest.approx(record["promise"], rel=1e-9)
        clipped = min(1.0, 2.0 / record["update_norm"])
        assert record["promise"] == pytest.approx(1e-3 * clipped * 0.5 * record["forget_norm"] ** 2, rel=1e-9)


@pytest.mark.parametrize("momentum", ["none", "retain"])
@pytest.mark.parametrize("gamma", [0.03, 1.0])
def test_blur_keeps_its_promise_at_every_step_without_momentum_of_g_f(momentum, gamma):
    assert share_kept(records({"name": "bilevel", "gamma": gamma}, momentum)) == 1


def test_adam_s_momentum_breaks_it():
    assert share_kept(records({"name": "bilevel", "gamma": 0.03})) < 0.5


def test_xi_is_told_beside_gamma_and_the_large_batch_s_cosine_where_asked_for():
    config = chosen(batch_size=3, steps=None, epochs=2, large_batch=5)
    found = train(tiny_model(), STREAMS, config, reference_sums=SUMS)
    assert all(record["xi_over_gamma"] == pytest.approx(record["xi"] / 0.5) for record in found.records)
    assert ["large_cosine" in record for record in found.records] == [False, False, True] * 2
    f = flat_gradient(value(loss("npo"), found.model, STREAMS["forget"][:5], SUMS), found.model)
    r = flat_gradient(value(loss("nll"), found.model, STREAMS["retain"][:5]), found.model)
    cosine = torch.cosine_similarity(f, r, 0).item()
    assert found.records[-1]["large_cosine"] == pytest.approx(cosine, rel=1e-9)
    with pytest.raises(ValueError, match="large_batch"):
        settings("ga", None, "weighted", large_batch=5)
    with pytest.raises(ValueError, match="needs a forget and a retain objective"):
        settings("ga", None, {"name": "weighted", "momentum": "retain"})
