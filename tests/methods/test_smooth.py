"""Smoothed losses and averaged weights (methods_2026.md 2.1) against closed forms and numerical differentiation."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch

from blur.core.choice import build
from blur.planner.cost import update_operations
from blur.planner.memory import plan_memory
from blur.unlearn.loop import train
from blur.unlearn.near import Near
from blur.unlearn.references import reference_sums
from blur.unlearn.sharding import Trainable
from blur.unlearn.step import Sources, Updater
from tests.planner.support import job, trained
from tests.unlearn.support import Capture, flat, loss, settings, streams, tiny_model, value, weights_hash
from tests.unlearn.test_loop import CutError, cut_at, raise_cut

STREAMS = streams(32, 32)
SUMS = reference_sums(tiny_model(5), STREAMS["forget"])
SGD = {"name": "sgd", "lr": 1e-3}
SAM, RANDOM, PENALTY = {"name": "sam", "rho": 0.1}, {"name": "random", "sigma": 0.05}, {"name": "penalty", "rho": 0.5}
OFF = [{"name": "sam", "rho": 0.0}, {"name": "random", "sigma": 0.0}, {"name": "penalty", "rho": 0.0}]
AVERAGE = {"name": "average", "start": 0.5, "every": 2}


def called(choice):
    return choice["name"]


def smoothing(**choice):
    return build("blur.unlearn.smooth", "Smooth", choice)


def run(smooth="none", directory=None, retain="nll", combine="weighted", **others):
    hooks = {name: others.pop(name) for name in ("on_step", "on_epoch_end") if name in others}
    options = {"optimizer": SGD, "batch_size": 32, "steps": 2, "log_gradients": retain is not None, **others}
    chosen = settings("npo", retain, combine, smooth=smooth, **options)
    return train(tiny_model(), STREAMS, chosen, reference_sums=SUMS, checkpoint_dir=directory, **hooks)


class Toy:
    """L = x A x / 2 on one parameter, and how often its gradient was taken."""

    def __init__(self, x=(1.0, -2.0, 0.5)):
        generator = torch.Generator().manual_seed(3)
        root = torch.randn(3, 3, dtype=torch.float64, generator=generator)
        self.a, self.calls = root @ root.T, []
        self.x = torch.nn.Parameter(torch.tensor(x, dtype=torch.float64))
        self.start = self.x.detach().clone()
        self.near = Near(Trainable(["x"], *[[self.x]] * 3), self.gradient, (0, 1, "forget"))

    def gradient(self):
        x = self.x.detach().clone()
        self.calls.append(x)
        return x @ self.a @ x / 2, [self.a @ x]

    @property
    def closed(self):
        """A x + rho A A x / |A x|, at rho = 0.1: of SAM, and of the penalty."""
        g = self.a @ self.start
        return g + 0.1 * self.a @ g / g.norm()


@pytest.mark.parametrize("name", ["sam", "penalty"])
def test_on_a_quadratic_they_are_the_closed_form(name):
    toy = Toy()
    loss, (gradient,) = smoothing(name=name, rho=0.1).gradient("forget", toy.near)
    assert torch.allclose(gradient, toy.closed, rtol=1e-12)
    assert (gradient - toy.a @ toy.start).norm() > 0.05, "as with .item(): a penalty without a gradient"
    assert torch.equal(toy.x, toy.start)
    assert len(toy.calls) == smoothing(name=name).passes("forget")
    plain = toy.start @ toy.a @ toy.start / 2
    g = toy.a @ toy.start
    moved = toy.start + 0.1 * g / g.norm()
    assert loss.item() == pytest.approx((moved @ toy.a @ moved / 2 if name == "sam" else plain + 0.1 * g.norm()).item())


def test_random_smoothing_is_the_mean_over_its_draws():
    toy, random = Toy(), smoothing(name="random", sigma=0.1, draws=3)
    draws = [next(toy.near.noise(number)) for number in range(3)]
    loss, (gradient,) = random.gradient("forget", toy.near)
    points = [toy.start + 0.1 * z for z in draws]
    assert torch.allclose(torch.stack(toy.calls), torch.stack(points))
    assert torch.allclose(gradient, toy.a @ torch.stack(points).mean(0))
    assert loss.item() == pytest.approx(sum(x @ toy.a @ x / 2 for x in points).item() / 3)
    assert torch.equal(toy.x, toy.start)
    many = torch.stack([next(toy.near.noise(number)) for number in range(400)])
    assert many.mean(0).abs().max() < 0.2
    assert many.std(0).tolist() == pytest.approx([1] * 3, abs=0.15)


@pytest.mark.parametrize("choice", [SAM, PENALTY], ids=called)
def test_where_the_gradient_is_zero_it_stays(choice):
    toy = Toy((0.0, 0.0, 0.0))
    assert not smoothing(**choice).gradient("forget", toy.near)[1][0].any()


@pytest.mark.parametrize("draws", [1, 2])
def test_a_run_is_smoothed_whatever_the_number_of_draws(draws):
    """One draw is one pass, as without: the gradient is taken elsewhere all the same, logged or not."""
    options = {"smooth": {**RANDOM, "draws": draws}, "steps": 1}
    logged, ours, plain = (
        weights_hash(run(**others).model)
        for others in (options, {**options, "log_gradients": False}, {"steps": 1, "log_gradients": False})
    )
    assert logged == ours != plain


@pytest.mark.parametrize("choice", [SAM, RANDOM, PENALTY], ids=called)
def test_what_is_retained_is_taken_where_the_weights_are(choice):
    toy = Toy()
    assert torch.equal(smoothing(**choice).gradient("retain", toy.near)[1][0], toy.a @ toy.start)
    assert smoothing(**choice).passes("retain") == len(toy.calls) == 1


def test_saul_perturbs_both_sides():
    toy, both = Toy(), smoothing(name="sam", rho=0.3, retain_rho=0.1)
    assert torch.allclose(both.gradient("retain", toy.near)[1][0], toy.closed, rtol=1e-12)
    assert both.passes("retain") == 2


def test_the_penalty_s_gradient_is_that_of_numerical_differentiation():
    """Of L + rho ||grad L|| along random directions, on a model with attention."""
    rho, model, term = 0.5, tiny_model(), loss("npo")
    texts = STREAMS["forget"][:6]
    chosen = settings(retain=None, combine="weighted", smooth={**PENALTY, "step": 1e-5}, batch_size=6)
    capture = Capture(model, chosen, Sources(STREAMS, SUMS))
    record, _ = capture.update(1, {"forget": range(6)}, 0.0)

    def penalised():
        plain = value(term, model, texts, SUMS)
        norm = flat(torch.autograd.grad(plain, list(model.parameters()))).norm()
        return (plain + rho * norm).item()

    assert record["forget_loss"] == pytest.approx(penalised(), rel=1e-12)
    generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        along = [torch.randn(p.shape, generator=generator).double() for p in model.parameters()]
        with shifted(model, along, 1e-6):
            ahead = penalised()
        with shifted(model, along, -1e-6):
            behind = penalised()
        slope = (ahead - behind) / 2e-6
        assert (flat(along) @ capture.seen).item() == pytest.approx(slope, rel=1e-5)


@contextmanager
def shifted(model, along, length):
    with Trainable.of(model).at([p.detach() + length * d for p, d in zip(model.parameters(), along, strict=True)]):
        yield


@pytest.mark.parametrize("retain", ["nll", None], ids=["pair", "alone"])
@pytest.mark.parametrize("off", OFF, ids=called)
def test_at_radius_zero_a_run_is_the_plain_one_to_the_bit(off, retain):
    plain, ours = run(retain=retain, batch_size=4), run(off, retain=retain, batch_size=4)
    assert weights_hash(ours.model) == weights_hash(plain.model)


@pytest.mark.parametrize("smooth", [SAM, RANDOM, PENALTY], ids=called)
def test_eight_micro_batches_of_four_are_one_of_32(smooth):
    """One neighbourhood for the whole batch: perturbed for each micro-batch alone, or overwritten, it is another."""
    whole, parts, plain = (
        flat(run(*args, accumulation=n).model.parameters()) for args, n in (((smooth,), 1), ((smooth,), 8), ((), 1))
    )
    moved = (whole - flat(tiny_model().parameters())).norm()
    assert (whole - parts).norm() < 1e-9 * moved
    assert (whole - plain).norm() > 1e-3 * moved


def test_a_radius_for_each_micro_batch_is_found_out(monkeypatch):
    """The authors' code: the direction of what a micro-batch gave, and the last one's gradient."""
    first = Updater._micro_batches
    monkeypatch.setattr(Updater, "_micro_batches", lambda *args: list(first(*args))[-1:])
    with pytest.raises(AssertionError):
        test_eight_micro_batches_of_four_are_one_of_32(SAM)


def test_weights_are_back_to_the_bit_under_masters_and_masks():
    scope = {"name": "saliency", "granularity": "element", "percentile": 50}
    for dtype, others in ((torch.bfloat16, {"master_weights": True}), (torch.float32, {"scope": scope})):
        model = tiny_model(0, dtype)
        before = weights_hash(model) if dtype != torch.bfloat16 else flat(model.parameters())
        chosen = settings("ga", smooth={"name": "random", "sigma": 0.1}, optimizer=SGD, batch_size=4, **others)
        updater = Updater(model, chosen, Sources(STREAMS))
        with updater.trainable.at([share.detach() + 1 for share in updater.trainable.shares]):
            assert (flat(model.parameters()) - flat(tiny_model(0, dtype).parameters())).any()
        after = weights_hash(model) if dtype != torch.bfloat16 else flat(model.parameters())
        assert torch.equal(after, before) if dtype == torch.bfloat16 else after == before
        record, _ = updater.update(1, {"forget": range(4), "retain": range(4)}, 1e-3)
        assert record["forget_loss"] < 0


def test_a_run_gives_the_exact_mean_and_trains_on_from_the_weights():
    taken, looks, plain = [], [], []
    hooked = {"batch_size": 8, "steps": 10}

    def step_of(model_of, into):
        return lambda record, total: into.append(flat(model_of().parameters()))

    chosen = settings("npo", "nll", "weighted", smooth=AVERAGE, optimizer=SGD, log_gradients=True, **hooked)
    model = tiny_model()
    result = train(
        model,
        STREAMS,
        chosen,
        reference_sums=SUMS,
        on_step=step_of(lambda: model, taken),
        on_epoch_end=lambda epoch, seen: looks.append(flat(seen.parameters())),
    )
    other = tiny_model()
    without = chosen.model_copy(update={"smooth": smoothing(name="none")})
    train(other, STREAMS, without, reference_sums=SUMS, on_step=step_of(lambda: other, plain))
    assert all(torch.equal(a, b) for a, b in zip(taken, plain, strict=True)), "training itself is as without"
    mean = (taken[4] + taken[6] + taken[8]) / 3  # steps 5, 7 and 9
    assert torch.equal(flat(result.model.parameters()), mean)
    # epochs of 4 steps end with 4 (nothing taken yet), 8 (5 and 7), 10
    expected = [taken[3], (taken[4] + taken[6]) / 2, mean]
    assert all(torch.equal(a, b) for a, b in zip(looks, expected, strict=True))


@pytest.mark.parametrize("smooth", [AVERAGE, RANDOM], ids=called)
def test_a_resumed_run_is_the_uninterrupted_one(smooth, tmp_path):
    options = {"batch_size": 16, "steps": None, "epochs": 4}
    whole = run(smooth, **options)
    with pytest.raises(CutError):
        run(smooth, tmp_path, on_step=cut_at(7, raise_cut), **options)
    again = run(smooth, tmp_path, **options)
    assert again.resumed_from == 6
    assert weights_hash(again.model) == weights_hash(whole.model)
    assert weights_hash(run(smooth, tmp_path, **options).model) == weights_hash(whole.model), "and once more, finished"


def test_a_neighbourhood_needs_a_forget_loss():
    with pytest.raises(ValueError, match="around a forget loss"):
        settings(None, "nll", "weighted", smooth=SAM)
    assert settings(None, "nll", "weighted", smooth=AVERAGE).states == 3


def test_the_plan_knows_passes_and_copies():
    tokens = {"forget": 5.0, "retain": 5.0}
    plain = trained(combine="weighted")
    forget = update_operations(job(plain), tokens) / 2
    for choice, times in ((SAM, 2), (RANDOM, 3), (PENALTY, 3), ({**SAM, "retain_rho": 0.1}, 3)):
        cost = update_operations(job(trained(combine="weighted", smooth=choice)), tokens)
        assert cost == pytest.approx(forget * (times + 1))
    both = plan_memory(job(trained())).peak.total  # BLUR's two sets
    assert plan_memory(job(trained(smooth=SAM))).peak.total >= both
    more = plan_memory(job(trained(smooth=PENALTY))).peak.total
    assert more >= both + plain.gradients
    assert trained(smooth=AVERAGE).optimizer == 3 * plain.gradients
    assert trained(combine="dual").optimizer == 4 * plain.gradients
    assert trained(combine="gru").optimizer == 3 * plain.gradients
