"""Sophia-G against a loop written out in float64, the exact Gauss-Newton diagonal, and what its draws may depend on."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from blur.models.batch import collate
from blur.models.forward import Outputs, forward
from blur.unlearn.gradients import Shards
from blur.unlearn.loop import train
from blur.unlearn.losses.base import Reference
from blur.unlearn.optimizers.sophia import OwnLabels, draw
from blur.unlearn.references import reference_sums
from blur.unlearn.step import Sources, Updater
from tests.unlearn.support import flat, flat_gradient, loss, settings, streams, tiny_model, value

STREAMS = streams(7, 7)
SUMS = reference_sums(tiny_model(5), STREAMS["forget"])
# The keys' part of this bias has no gradient but rounding, and a step for its sign.
WITHOUT = {"name": "modules", "patterns": [r"^(?!.*c_attn\.bias$)"]}
LR, RHO, DECAY, EVERY = 1e-2, 0.5, 0.1, 2
SOPHIA = {"name": "sophia", "lr": LR, "rho": RHO, "every": EVERY, "weight_decay": DECAY}
WHOLE = {side: range(7) for side in STREAMS}


def chosen(**others):
    return settings(**{"optimizer": SOPHIA, "batch_size": 7, "steps": 5, **others})


def own_gradient(model, step, seed=0):
    """Gradient of the mean loss under drawn labels, of the retain stream in one batch, and its number of tokens."""
    batch = collate(STREAMS["retain"])
    outputs = forward(model, batch, "scored")
    total = OwnLabels(step=step).numerator(outputs, Reference(seed=seed, ids=batch.ids)).sum()
    return flat_gradient(total / len(outputs.rows), model), len(outputs.rows)


def test_steps_are_those_written_out():
    model = tiny_model()
    m = h = 0.0
    matrix = flat(torch.full_like(p, p.ndim > 1) for p in model.parameters())
    moves = flat(torch.full_like(p, not name.endswith("c_attn.bias")) for name, p in model.named_parameters())
    for step in range(1, 6):
        if step % EVERY == 1:
            g, tokens = own_gradient(model, step)
            h = 0.99 * h + 0.01 * tokens * g**2
        f = flat_gradient(value(loss("npo"), model, STREAMS["forget"], SUMS), model) * moves
        r = flat_gradient(value(loss("nll"), model, STREAMS["retain"]), model) * moves
        m = 0.965 * m + 0.035 * (r + (1 - (f @ r) / (f @ f)) * f)
        theta = flat(model.parameters())
        theta = theta * (1 - LR * DECAY * matrix) - LR * (m / (RHO * h + 1e-15)).clamp(-1, 1)
        start = 0
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(theta[start : start + parameter.numel()].view_as(parameter))
                start += parameter.numel()
    result = train(tiny_model(), STREAMS, chosen(scope=WITHOUT), reference_sums=SUMS).model
    moved = (flat(model.parameters()) - flat(tiny_model().parameters())).norm()
    assert (flat(result.parameters()) - flat(model.parameters())).norm() <= 1e-8 * moved
    clipped = (m / (RHO * h + 1e-15)).abs() >= 1
    assert 0.05 < clipped.double().mean() < 0.95, "both branches are met"


def test_without_curvature_a_step_is_lr_in_every_coordinate_that_has_a_moment():
    config = chosen(optimizer={**SOPHIA, "weight_decay": 0.0}).optimizer
    parameter = torch.nn.Parameter(torch.zeros(5, dtype=torch.float64))
    parameter.grad = torch.tensor([3.0, -1e-9, 1e5, -2.0, 0.0], dtype=torch.float64)
    config.build([parameter]).step()
    assert parameter.tolist() == [-LR, LR, -LR, LR, 0.0]


def test_the_estimate_is_the_gauss_newton_diagonal_on_average():
    """Of a linear softmax: at a position with input x and distribution p, the diagonal is x_j^2 p_v (1 - p_v)."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 3, dtype=torch.float64, generator=generator)
    weight = torch.randn(4, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    rows, draws = torch.tensor([0, 0, 1, 1, 1, 2]), 500
    p = (x @ weight.detach().T).softmax(-1)
    exact = torch.einsum("nv,nj->vj", p * (1 - p), x**2) / len(x)
    estimates = []
    config = chosen(optimizer={**SOPHIA, "betas": (0.9, 0.0), "every": 1}).optimizer
    for step in range(1, draws + 1):

        def gradient_of(own):
            outputs = Outputs(x @ weight.T, rows, torch.zeros(6, dtype=torch.int64), 3)
            total = own.numerator(outputs, Reference(ids=("a", "b", "c"))).sum() / 6
            return [torch.autograd.grad(total, weight)[0]], 6

        state: dict = {}
        config.observe(step, [weight.detach()], [state], gradient_of)
        estimates.append(state["h"])
    found = torch.stack(estimates)
    error = found.std(0) / math.sqrt(draws)
    assert ((found.mean(0) - exact).abs() < 4.5 * error).all()
    assert (error < 0.2 * exact).all()


def test_labels_are_drawn_from_the_distribution():
    logits = torch.tensor([0.2, 0.5, 0.3]).log().expand(3000, 3)
    numbers = torch.rand(3000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    shares = draw(logits, numbers.split(1000)).bincount(minlength=3) / 3000
    assert (shares - torch.tensor([0.2, 0.5, 0.3])).abs().max() < 0.03
    edges = torch.tensor([0.0, 0.2 - 1e-6, 0.2 + 1e-6, 0.7 + 1e-6, 1 - 1e-16], dtype=torch.float64)
    assert draw(logits[:5], [edges]).tolist() == [0, 0, 1, 2, 2]


def test_what_a_text_draws_depends_on_seed_step_and_text_alone():
    batch = collate(STREAMS["retain"])
    model = tiny_model()

    def labels(step=1, seed=0, texts=None, padding=0):
        part = collate(texts or STREAMS["retain"])
        if padding:
            pad = torch.nn.functional.pad
            part = replace(
                part,
                input_ids=pad(part.input_ids, (0, padding)),
                attention_mask=pad(part.attention_mask, (0, padding)),
                labels=pad(part.labels, (0, padding), value=-100),
            )
        outputs, own = forward(model, part, "scored"), OwnLabels(step=step)
        numbers = [own._uniform(Reference(seed=seed, ids=part.ids), i, int(n)) for i, n in enumerate(outputs.counts)]
        drawn = draw(outputs.logits, numbers)
        return {name: drawn[outputs.rows == row].tolist() for row, name in enumerate(part.ids)}

    whole = labels()
    assert labels(padding=5) == whole
    assert {**labels(texts=STREAMS["retain"][4:]), **labels(texts=STREAMS["retain"][3::-1])} == whole
    assert whole != labels(step=2)
    assert whole != labels(seed=1)
    assert len(whole) == len(batch.ids)


@pytest.mark.parametrize("accumulation", [1, 3])
def test_it_is_estimated_on_what_is_kept_at_every_kth_step(accumulation):
    updater = Updater(tiny_model(), chosen(accumulation=accumulation), Sources(STREAMS, SUMS))
    g, tokens = own_gradient(tiny_model(), 1)
    found = []
    for step in (1, 2, 3):
        updater.update(step, WHOLE, LR)
        found.append(flat(updater.optimizers[0].state[share]["h"] for share in updater.trainable.shares))
    assert (found[0] - 0.01 * tokens * g**2).norm() <= 1e-9 * found[0].norm()
    assert torch.equal(found[1], found[0])
    assert not torch.equal(found[2], found[1])


def test_several_streams_are_one_batch_and_without_any_it_is_what_is_forgotten():
    texts = {**STREAMS, "general": STREAMS["retain"][4:], "retain": STREAMS["retain"][:4]}
    base = chosen().model_dump(mode="json")
    both = type(chosen()).model_validate(
        {**base, "retain": [{"loss": "nll", "stream": "retain"}, {"loss": "nll", "stream": "general", "weight": 2.0}]}
    )
    updater = Updater(tiny_model(), both, Sources(texts, SUMS))
    gradient, tokens = updater._own_gradient(
        {"forget": [0], "retain": range(4), "general": range(3)}, OwnLabels(step=1)
    )
    expected, number = own_gradient(tiny_model(), 1)
    assert tokens == number
    assert not isinstance(gradient, Shards)
    assert (flat(gradient) - expected).norm() <= 1e-9 * expected.norm()
    assert [term.stream for term in chosen(forget="ga", retain=None, combine="weighted").own] == ["forget"]
    assert chosen(optimizer="adamw").own == ()


def test_alternates_that_the_curvature_does_not_read_are_not_counted():
    """B g^2 would be too large by the share of their tokens."""
    other = replace(STREAMS["retain"][0], id="other")
    texts = {**STREAMS, "retain": [replace(one, alternates=(other, other)) for one in STREAMS["retain"]]}
    indices = {"forget": [0], "retain": range(4)}
    found = [
        Updater(tiny_model(), chosen(), Sources(t, SUMS))._own_gradient(indices, OwnLabels()) for t in (texts, STREAMS)
    ]
    (with_others, tokens), (without, number) = found
    assert tokens == number
    assert (flat(with_others) - flat(without)).norm() == 0


def test_an_estimate_made_of_the_data_s_labels_is_found_out(monkeypatch):
    """SOUL's code: the empirical Fisher in the place of the Gauss-Newton matrix."""
    monkeypatch.setattr(OwnLabels, "numerator", lambda self, outputs, reference: outputs.nll_sums)
    with pytest.raises(AssertionError):
        test_the_estimate_is_the_gauss_newton_diagonal_on_average()


@pytest.mark.parametrize("momenta", [1, 2])
def test_the_form_of_soul_s_code_is_an_option_that_is_off(momenta):
    """Its loop written out: h from the update's square at every call, times 5120, and the momentum averaged twice."""
    assert chosen().optimizer.curvature == "own_labels"
    beta1 = 0.9**momenta
    soul = {"name": "sophia", "lr": LR, "rho": 0.04, "betas": [beta1, 0.95], "curvature": "update"}
    config = chosen(optimizer=soul).optimizer
    assert (config.own_loss, config.asks, config.states) == (None, 0.0, 2)
    generator = torch.Generator().manual_seed(0)
    ours, drawn = (torch.nn.Parameter(torch.ones(30, dtype=torch.float64)) for _ in range(2))
    mine, usual = config.build([ours]), chosen().optimizer.build([drawn])
    theta, m, h = torch.ones(30, dtype=torch.float64), 0.0, 0.0
    for step in range(1, 6):
        update = 10 ** (-4 * torch.rand(30, dtype=torch.float64, generator=generator)) / 30
        config.observe(step, [ours.detach()], [mine.state[ours]], lambda own: pytest.fail("it asks for no gradient"))
        ours.grad, drawn.grad = update.clone(), update.clone()
        mine.step()
        usual.step()
        h = 0.95 * h + 0.05 * update**2
        for _ in range(momenta):
            m = 0.9 * m + 0.1 * update
        theta = theta - LR * (m / (0.04 * 5120 * h + 1e-15)).clamp(-1, 1)
    assert torch.allclose(ours, theta, rtol=0, atol=1e-14)
    assert 0 < ((m / (0.04 * 5120 * h)).abs() < 1).sum() < 30, "both branches are met"
    assert not torch.allclose(ours, drawn)


def test_soul_s_form_makes_no_pass_of_its_own():
    updater = Updater(tiny_model(), chosen(optimizer={**SOPHIA, "curvature": "update"}), Sources(STREAMS, SUMS))
    updater._own_gradient = lambda *given: pytest.fail("no labels are drawn")
    updater.update(1, WHOLE, LR)
    assert all(set(updater.optimizers[0].state[share]) == {"m", "h"} for share in updater.trainable.shares)


def test_steps_are_those_of_the_authors_package():
    theirs_module = pytest.importorskip("sophia_opt", reason="sophia-opt, the authors' optimizer, is not installed")
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.ones(30, 7, dtype=torch.float64)) for _ in range(2))
    config = chosen().optimizer
    mine = config.build([ours])
    oracle = theirs_module.SophiaG([theirs], lr=LR, betas=config.betas, rho=RHO, weight_decay=DECAY)
    for step in range(1, 12):
        g, update = torch.randn(2, 30, 7, dtype=torch.float64, generator=generator)
        config.observe(step, [ours.detach()], [mine.state[ours]], lambda own, g=g: ([0.05 * g], 128))
        if (step - 1) % EVERY == 0:
            theirs.grad = 0.05 * g
            oracle.update_hessian()
        ours.grad, theirs.grad = update.clone(), update.clone()
        mine.step()
        oracle.step(bs=128)
    assert (ours - theirs).norm() <= 1e-12 * (theirs - 1).norm()
