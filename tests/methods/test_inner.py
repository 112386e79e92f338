"""Combinations that move the weights before an update, or look at it after (methods_2026.md 1.5, 1.11, 1.12)."""

from __future__ import annotations

import pytest
import torch

from blur.planner.cost import update_operations
from blur.planner.memory import plan_memory
from blur.unlearn.combine.base import Seen
from blur.unlearn.near import Near
from blur.unlearn.sharding import Trainable
from blur.unlearn.step import Sources, Updater
from tests.methods.test_combinations import STREAMS, SUMS, run
from tests.planner.support import job, trained
from tests.unlearn.support import flat, settings, tiny_model, weights_hash
from tests.unlearn.test_combine import combination
from tests.unlearn.test_loop import CutError, cut_at, raise_cut

SGD = {"name": "sgd", "lr": 1e-2}


class Quadratics:
    """Losses (x - c) A (x - c) / 2 on one parameter, one a side, and how often each side's gradient was taken."""

    def __init__(self):
        generator = torch.Generator().manual_seed(5)
        self.x = torch.nn.Parameter(torch.randn(4, dtype=torch.float64, generator=generator))
        moving, self.calls = Trainable(["x"], *[[self.x]] * 3), {"forget": 0, "retain": 0}
        self.a, self.c, self.near = {}, {}, {}
        for side, sign in (("forget", -1.0), ("retain", 1.0)):
            root = torch.randn(4, 4, dtype=torch.float64, generator=generator)
            self.a[side] = sign * root @ root.T
            self.c[side] = torch.randn(4, dtype=torch.float64, generator=generator)
            self.near[side] = Near(moving, lambda side=side: self.found(side), (0, 1, side))

    def found(self, side):
        self.calls[side] += 1
        x = self.x.detach()
        return self.loss(side, x), [self.gradient(side, x)]

    def loss(self, side, x):
        return (x - self.c[side]) @ self.a[side] @ (x - self.c[side]) / 2

    def gradient(self, side, x):
        return self.a[side] @ (x - self.c[side])

    def phi(self, x, beta):
        """L_f - beta cos(g_f, g_r)."""
        f, r = (self.gradient(side, x) for side in ("forget", "retain"))
        return self.loss("forget", x) - beta * torch.cosine_similarity(f, r, 0)

    def slope(self, beta):
        """grad phi at the present weights, by differentiation."""
        x = self.x.detach().clone().requires_grad_()
        return torch.autograd.grad(self.phi(x, beta), x)[0]

    def moves(self, made, step=1):
        f, r = ([self.gradient(side, self.x.detach())] for side in ("forget", "retain"))
        return made.moves(f, r, Seen(["x"], [self.x.detach()], [{}], {}, step, 0.0, 0.0, near=self.near))


def test_ofmu_s_outer_gradient_without_a_cosine_is_the_closed_form():
    """g_r + 2 rho A A (x - c), A the Hessian of what is ascended within."""
    toy, made = Quadratics(), combination("ofmu", beta=0.0, inner_length=0.1, rho=0.3, rise=0.5)
    start, a = toy.x.detach().clone(), toy.a["forget"]
    for step, rho in ((1, 0.3), (3, 0.6)):
        ((u,),), told = toy.moves(made, step)
        expected = toy.gradient("retain", start) + 2 * rho * a @ a @ (start - toy.c["forget"])
        assert torch.allclose(u, expected, rtol=1e-9)
    assert torch.equal(toy.x, start), "weights are where they were"
    f = toy.gradient("forget", start)
    assert told.promise == pytest.approx((f @ u).item(), rel=1e-9)


@pytest.mark.parametrize("beta", [0.0, 0.7])
def test_ofmu_s_inner_steps_descend_phi_cosine_included(beta):
    toy, made = Quadratics(), combination("ofmu", beta=beta, inner_steps=2, inner_length=0.01, step=1e-4)
    expected = toy.x.detach().clone()
    for _ in range(2):
        x = expected.clone().requires_grad_()
        slope = torch.autograd.grad(toy.phi(x, beta), x)[0]
        expected = expected - 0.01 * slope / slope.norm()
    made.before(toy.near)
    assert torch.allclose(toy.x, expected, rtol=1e-6)


def test_ofmu_s_penalty_follows_phi_s_slope_with_the_cosine_held():
    toy, made = Quadratics(), combination("ofmu", beta=0.7, inner_length=0.0, rho=0.2, step=1e-4)
    r, slope = toy.gradient("retain", toy.x.detach()), toy.slope(0.7)
    ((u,),), _ = toy.moves(made)
    assert torch.allclose(u, r + 0.4 * toy.a["forget"] @ slope, rtol=1e-6)


@pytest.mark.parametrize(("beta", "rho"), [(0.0, 0.1), (0.5, 0.1), (0.5, 0.0)])
def test_ofmu_takes_the_passes_that_it_declares(beta, rho):
    toy, made = Quadratics(), combination("ofmu", beta=beta, rho=rho, inner_steps=3, inner_length=0.01)
    made.before(toy.near)
    toy.moves(made)
    assert toy.calls == {side: made.passes(side) for side in ("forget", "retain")}


def test_blade_s_inner_steps_are_plain_steps_of_a_clipped_gradient():
    toy, made = Quadratics(), combination("lagrangian", inner_steps=3, inner_lr=0.2, inner_norm=1.5)
    expected = toy.x.detach().clone()
    for _ in range(3):
        g = toy.gradient("retain", expected)
        expected = expected - 0.2 * g * min(1.0, 1.5 / g.norm().item())
    made.before(toy.near)
    assert torch.allclose(toy.x, expected, rtol=1e-12)
    assert toy.calls == {"forget": 0, "retain": 3}
    assert made.passes("retain") == 3


def test_a_probe_finds_the_lowest_point_of_a_parabola_at_once():
    """The loss along the step is (theta - lr s - 3)^2: the rate that reaches 3, whatever it was."""
    made, numbers = combination("ngdiff", probe_every=10), {}
    theta, s = 1.0, -4.0
    for lr in (0.1, 0.3, 0.9):
        numbers.clear()
        made.probe(lr, numbers, lambda rate: (theta - rate * s - 3) ** 2)
        assert lr * made.factor(numbers) == pytest.approx(0.5)
    made.probe(0.5, numbers, lambda rate: -(rate**2))
    assert 0.9 * made.factor(numbers) == pytest.approx(0.5), "no lowest point: the rate stays"
    made.probe(0.5, numbers, lambda rate: (rate + 1) ** 2)
    assert 0.9 * made.factor(numbers) == pytest.approx(0.05), "never negative"


def test_probes_leave_weights_and_moments_as_they_are():
    states = []
    for every in (0, 2):
        chosen = settings(combine={"name": "ngdiff", "probe_every": every}, optimizer={"name": "adamw", "lr": 1e-2})
        updater = Updater(tiny_model(), chosen, Sources(STREAMS, SUMS))
        batches = {"forget": range(7), "retain": range(7)}
        rates = [updater.update(step, batches, 1e-2)[0]["lr"] for step in (1, 2)]
        assert rates == [1e-2, 1e-2]
        moments = [updater.optimizers[0].state[share] for share in updater.trainable.shares]
        states.append((flat(updater.parameters), flat(one["exp_avg"] for one in moments)))
        assert bool(updater.numbers["combine"]) == bool(every)
    assert all(torch.equal(one, other) for one, other in zip(*states, strict=True))
    third, _ = updater.update(3, batches, 1e-2)
    assert third["lr"] == 1e-2 * updater.numbers["combine"]["rate"] != 1e-2


def test_a_probe_sees_the_loss_that_another_rate_would_have_given(monkeypatch):
    chosen = settings(combine={"name": "ngdiff", "probe_every": 1}, optimizer=SGD)
    seen = {}
    monkeypatch.setattr(type(chosen.combine), "probe", lambda self, lr, numbers, loss: seen.update(l=loss(3e-2)))
    batches = {"forget": range(7), "retain": range(7)}
    Updater(tiny_model(), chosen, Sources(STREAMS, SUMS)).update(1, batches, 1e-2)
    plain = settings(combine="ngdiff", optimizer=SGD)
    other = Updater(tiny_model(), plain, Sources(STREAMS, SUMS))
    other.update(1, batches, 3e-2)
    assert seen["l"] == pytest.approx(other.update(2, batches, 0.0)[0]["retain_loss"], rel=1e-9)


OFMU = {"name": "ofmu", "inner_length": 1e-2, "beta": 0.5}
BLADE = {"name": "lagrangian", "inner_steps": 2, "inner_lr": 1e-2}
PROBED = {"name": "ngdiff", "probe_every": 1}


@pytest.mark.parametrize("combine", [OFMU, BLADE, PROBED], ids=lambda one: one["name"])
def test_one_large_batch_is_its_micro_batches_and_a_resumed_run_the_whole_one(combine, tmp_path):
    finals = [flat(run(combine, accumulation=n, steps=2, optimizer=SGD).model.parameters()) for n in (1, 4)]
    moved = (finals[0] - flat(tiny_model().parameters())).norm()
    assert (finals[0] - finals[1]).norm() < 1e-6 * moved
    without = {**OFMU, "inner_length": 0.0} if combine is OFMU else combine["name"]
    assert (finals[0] - flat(run(without, steps=2, optimizer=SGD).model.parameters())).norm() > 1e-3 * moved
    options = {"dtype": torch.float32, "batch_size": 4, "steps": None, "epochs": 2, "forget": "ga"}
    whole = run(combine, **options)
    with pytest.raises(CutError):
        run(combine, tmp_path, on_step=cut_at(3, raise_cut), **options)
    again = run(combine, tmp_path, **options)
    assert again.resumed_from == 2
    assert weights_hash(again.model) == weights_hash(whole.model)


def test_the_plan_knows_their_passes_and_copies():
    tokens = {"forget": 5.0, "retain": 5.0}
    plain = update_operations(job(trained(combine="ngdiff")), tokens) / 2
    for combine, times in ((OFMU, 3 + 5 + 3 + 2 + 1), (BLADE, 4), ({"name": "ngdiff", "probe_every": 10}, 2.3)):
        found = update_operations(job(trained(combine=combine)), tokens)
        assert found == pytest.approx(plain * times), combine["name"]
    more, less = (plan_memory(job(trained(combine=combine))).peak.total for combine in (OFMU, "ngdiff"))
    assert more >= less + trained().gradients
