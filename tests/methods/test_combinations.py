"""BLUR's rivals: what methods_2026.md section 1 says of each, in float64, and what their states are worth."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from blur.unlearn import checkpoint
from blur.unlearn.combine.base import Seen
from blur.unlearn.loop import train
from blur.unlearn.references import reference_sums
from blur.unlearn.step import Sources, Updater
from tests.unlearn.support import flat, flat_gradient, loss, settings, streams, tiny_model, value, weights_hash
from tests.unlearn.test_combine import NAMES, combination, join, pair
from tests.unlearn.test_loop import CutError, cut_at, raise_cut

STREAMS = streams(7, 7)
SUMS = reference_sums(tiny_model(5), STREAMS["forget"])
ADAMW = {"name": "adamw", "lr": 1e-2}
SGD = {"name": "sgd", "lr": 1e-3}
GATE = {"name": "gate", "level": -1e3, "mu": 0.1}
ALL = ["pcgrad", "sago", "gru", "ngdiff", "pdu", "lagrangian", GATE, "dual"]
STATEFUL = ["gru", "pdu", "lagrangian", GATE, "dual"]


def called(combine):
    return combine if isinstance(combine, str) else combine["name"]


def looked(shares, numbers=None, tensors=None, step=1, losses=(0.0, 0.0)):
    kept = [{} for _ in shares] if tensors is None else tensors
    names = [f"{number}.weight" for number in range(len(shares))]
    return Seen(names, shares, kept, {} if numbers is None else numbers, step, *losses)


def tensors(*rows):
    return [torch.tensor(row, dtype=torch.float64) for row in rows]


def one(combine, f, r, **others):
    """u of one tensor, and what was told of it."""
    (f,), (r,) = tensors(f), tensors(r)
    updates, statistics = combine.moves([f.clone()], [r.clone()], looked([f], **others))
    return sum(update[0] for update in updates if update[0] is not None), statistics, f, r


@pytest.mark.parametrize("name", ["pcgrad", "sago", "ngdiff"])
def test_on_disjoint_supports(name):
    u, _, f, r = one(combination(name), [3.0, 4, 0, 0], [0.0, 0, 0, 2])
    expected = {"pcgrad": f + r, "sago": f, "ngdiff": f / 5 + r / 2}[name]
    assert torch.allclose(u, expected, rtol=1e-15, atol=0)


@pytest.mark.parametrize("projection", ["global", "per_tensor"])
@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_pcgrad_in_conflict_leaves_the_retain_gradient_its_own_descent(projection, alpha):
    forget, retain = pair(-0.7, 3.0, dtype=torch.float64)
    f, r = join(forget), join(retain)
    made = combination("pcgrad", alpha=alpha, projection=projection)
    u, told = made.combine(forget, [one.clone() for one in retain], NAMES)
    if projection == "global":
        assert (join(u) - (f - (f @ r) / (r @ r) * r + alpha * r)).norm() < 1e-14
    for u_j, f_j, r_j in zip(u, forget, retain, strict=True):
        if projection == "per_tensor":
            least = min((f_j * r_j).sum().item(), 0.0)
            assert torch.allclose(u_j, f_j + (alpha - least / (r_j * r_j).sum().item()) * r_j)
    assert (r @ join(u)).item() == pytest.approx((alpha * r @ r).item(), rel=1e-12)
    assert told.promise == pytest.approx((f @ join(u)).item(), rel=1e-9)


def test_pcgrad_in_agreement_is_the_sum():
    forget, retain = pair(0.2, 3.0, dtype=torch.float64)
    u, _ = combination("pcgrad").combine(forget, [one.clone() for one in retain], NAMES)
    assert torch.equal(join(u), join(forget) + join(retain))


@pytest.mark.parametrize("cosine", [-0.9, -0.2, 0.4])
def test_pcgrad_of_both_is_the_package_s(cosine):
    forget, retain = pair(cosine, 2.0, dtype=torch.float64)
    f, r = join(forget), join(retain)
    u = join(combination("pcgrad", projected="both").combine(forget, [one.clone() for one in retain], NAMES)[0])
    least = min((f @ r).item(), 0.0)
    assert (u - (f - least / (r @ r) * r) - (r - least / (f @ f) * f)).norm() < 1e-14 * u.norm()
    aggregation = pytest.importorskip("torchjd.aggregation", reason="torchjd, the oracle, is not installed")
    assert (u - aggregation.PCGrad()(torch.stack([f, r]))).norm() < 1e-12 * u.norm()


def test_sago_never_opposes_the_retain_gradient_and_may_oppose_forgetting():
    gamma, alpha = 0.5, 2.0
    forget, retain = pair(-0.6, 1.0, dtype=torch.float64)
    f, r = join(forget), join(retain)
    u, told = combination("sago", gamma=gamma, alpha=alpha).combine(forget, [one.clone() for one in retain], NAMES)
    agree = f * r >= 0
    assert torch.equal(join(u), torch.where(agree, gamma * f, alpha * r))
    assert (join(u) * r >= 0).all()
    along = gamma * (f * f)[agree].sum() - alpha * (f * r).abs()[~agree].sum()
    assert told.promise == pytest.approx(along.item(), rel=1e-9)
    assert told.promise < 0
    assert told.update_retain_cosine == pytest.approx(torch.cosine_similarity(join(u), r, 0).item(), rel=1e-9)


def test_sago_at_its_ends_and_where_nothing_is_to_be_forgotten():
    sago = combination("sago", gamma=0.5, alpha=2.0)
    f = [0.1, -0.2, 0.3]
    assert one(sago, f, f)[0].tolist() == pytest.approx([0.5 * x for x in f])
    assert one(sago, f, [-x for x in f])[0].tolist() == pytest.approx([-2 * x for x in f])
    assert one(sago, [0.0, 1.0], [3.0, 1.0])[0].tolist() == [0.0, 0.5], "a word of no forget text does not move"
    assert one(combination("sago", agreed="both"), [0.0, 1.0], [3.0, 1.0])[0].tolist() == [3.0, 2.0]
    tiny = [1e-200, 1.0]
    assert one(sago, tiny, [-1e-200, 1.0])[0].tolist() == [-2e-200, 0.5], "signs, not a product that is 0"


def test_gru_projects_against_the_smoothed_retain_gradient():
    gru, state = combination("gru", smoothing=0.8), [{}]
    agreeing, told, f, _ = one(gru, [1.0, 2, 3], [1.0, 0, 1], tensors=state)
    assert torch.equal(agreeing, f)
    (m,) = tensors([0.8 * 1, 0, 0.8 * 1])
    assert torch.allclose(state[0]["smoothed"], m)
    u, told, f, r = one(gru, [1.0, 2, 3], [-5.0, 0, 0], tensors=state, step=2)
    m = 0.8 * r + 0.2 * m
    assert torch.allclose(state[0]["smoothed"], m)
    assert f @ m < 0
    assert torch.allclose(u, f - (f @ m) / (m @ m) * m)
    assert abs(u @ m) < 1e-12 * u.norm() * m.norm()
    assert told.promise == pytest.approx((f @ u).item())
    assert told.retain_norm == pytest.approx(5.0)


def test_gru_does_not_see_the_retain_gradient_s_length_but_in_its_own_term():
    f, r = [1.0, 2, 3], [-1.0, 0, -2]
    first, second = (one(combination("gru", smoothing=1.0), f, [s * x for x in r])[0] for s in (1, 10))
    assert torch.allclose(first, second)
    with_own = one(combination("gru", smoothing=1.0, alpha=0.5), f, r)[0]
    assert torch.allclose(with_own, first + 0.5 * tensors(r)[0])


def test_ngdiff_is_blind_to_lengths_and_raises_no_loss():
    f, r = [3.0, -4.0, 1.0], [0.1, 0.5, -2.0]
    u, told, a, b = one(combination("ngdiff"), f, r)
    scaled = one(combination("ngdiff"), [1000 * x for x in f], [x / 1000 for x in r])[0]
    assert torch.allclose(u, scaled, rtol=1e-12)
    c = torch.cosine_similarity(a, b, 0).item()
    assert told.promise == pytest.approx(a.norm().item() * (1 + c))
    assert (b @ u).item() == pytest.approx(b.norm().item() * (1 + c))
    assert told.update_norm == pytest.approx(math.sqrt(2 + 2 * c))
    assert one(combination("ngdiff"), f, [-x for x in f])[0].norm() < 1e-15
    assert torch.equal(one(combination("ngdiff"), [0.0, 0.0], [0.0, 2.0])[0], torch.tensor([0.0, 1.0]).double())


def test_pdu_s_dual_variable_follows_the_retain_loss():
    pdu, numbers = combination("pdu", start=2.0, rate=0.5, margin=1.5, warmup=2), {}
    seen, lam, weights = [1.0, 3.0, 9.0, 0.5, 0.1, 0.1, 0.1], 2.0, []
    for step, retain in enumerate(seen, 1):
        u, told, f, r = one(pdu, [1.0, 0], [1.0, 1], numbers=numbers, step=step, losses=(0.0, retain))
        assert torch.allclose(u, f + lam * r)
        weights.append(told.multiplier)
        if step > 2:
            lam = max(0.0, lam + 0.5 * (retain - 1.5 * 2.0))
        assert numbers["lambda"] == pytest.approx(lam)
    assert weights == pytest.approx([2, 2, 2, 5, 3.75, 2.3, 0.85])
    one(combination("pdu", level=0.1, rate=100.0, warmup=1), [1.0], [1.0], numbers=numbers, step=9)
    assert numbers["lambda"] == 0, "never below zero"


@pytest.mark.parametrize("x", [0.2, 1.5])
def test_the_augmented_lagrangian_s_update_is_its_gradient(x):
    """Above the level the squared excess has a gradient, rho (L_r - eps) g_r; below it has none."""
    lam, rho, level = 0.7, 0.4, 0.5
    point = torch.tensor([x], dtype=torch.float64, requires_grad=True)
    forget, retain = -(point**3).sum(), (point**2).sum()
    whole = forget + lam * (retain - level) + rho / 2 * (retain - level).clamp_min(0) ** 2
    f, r, expected = (torch.autograd.grad(part, point, retain_graph=True)[0] for part in (forget, retain, whole))
    made = combination("lagrangian", rho=rho, level=level, warmup=1, floor=0.6)
    numbers, above = {"lambda": lam}, retain.item() > level
    (u,), told = made.moves([f], [r.clone()], looked([point], numbers, step=5, losses=(0, retain.item())))
    assert u[0].item() == pytest.approx(expected.item(), rel=1e-12)
    assert (told.multiplier > lam) == above
    v = retain.item() - level
    assert numbers["lambda"] == pytest.approx(lam + rho * v if above else max(0.6, lam + 0.1 * rho * v))


@pytest.mark.parametrize("name", ["pdu", "lagrangian"])
def test_in_the_warmup_the_dual_variable_stays(name):
    """Below the floor of `lagrangian` too."""
    numbers, made = {}, combination(name, start=0.02, warmup=3)
    for step, loss_now in enumerate((1.0, 9.0, 2.0), 1):
        _, told, *_ = one(made, [1.0], [1.0], numbers=numbers, step=step, losses=(0.0, loss_now))
        assert told.multiplier == 0.02
    assert numbers.get("lambda", 0.02) == 0.02
    assert numbers["mean"] == pytest.approx(4.0)


def test_the_gate_s_variable_converges_to_the_multiplier():
    """min (x - 1)^2 / 2 with x^2 / 2 <= 1 / 8: x = 1/2, and lambda x = 1 - x."""
    gate, numbers, (x,) = combination("gate", level=0.125, mu=0.2), {}, tensors([1.0])
    for step in range(1, 400):
        updates, _ = gate.moves([x.clone()], [x - 1], looked([x], numbers, step=step, losses=((x @ x).item() / 2, 0)))
        for update in updates:
            x = x if update[0] is None else x - 0.1 * update[0]
        assert numbers["lambda"] >= 0
    assert x.item() == pytest.approx(0.5, abs=1e-4)
    assert numbers["lambda"] == pytest.approx(1.0, abs=1e-3)


def run(combine, directory=None, dtype=torch.float64, forget="npo", **others):
    options = {"optimizer": ADAMW, "batch_size": 7, "steps": 3, **others}
    hooks = {name: options.pop(name) for name in ("on_step",) if name in options}
    model = tiny_model(0, dtype)
    chosen = settings(forget, "nll", combine, **options)
    return train(model, STREAMS, chosen, reference_sums=SUMS, checkpoint_dir=directory, **hooks)


def retain_only(**others):
    return train(
        tiny_model(), STREAMS, settings(None, "nll", "weighted", batch_size=7, steps=3, optimizer=ADAMW, **others)
    )


def test_a_shut_gate_is_plain_training_on_what_is_retained():
    shut = run({"name": "gate", "level": 1e3})
    assert weights_hash(shut.model) == weights_hash(retain_only().model)
    assert [record["multiplier"] for record in shut.records] == [0, 0, 0]
    assert weights_hash(run(GATE).model) != weights_hash(shut.model)


def test_a_forget_step_at_rate_zero_is_plain_training_on_what_is_retained():
    assert weights_hash(run({"name": "dual", "ratio": 0.0}).model) == weights_hash(retain_only().model)


def test_each_state_sees_its_own_gradient():
    chosen = settings(combine={"name": "dual", "ratio": 0.5}, optimizer={**ADAMW, "weight_decay": 0.1})
    updater = Updater(tiny_model(), chosen, Sources(STREAMS, SUMS))
    shares = [share.detach().clone() for share in updater.trainable.shares]
    g = [torch.randn(share.shape, generator=torch.Generator().manual_seed(0)).double() for share in shares]
    zero = [torch.zeros_like(share) for share in shares]
    updater._apply([g, zero], SimpleNamespace(update_norm=0.0), 1e-2)
    first, second = ([one.state[share]["exp_avg"] for share in updater.trainable.shares] for one in updater.optimizers)
    assert (flat(first) - 0.1 * flat(g)).norm() < 1e-12
    assert not flat(second).any()
    # the forget step: weight decay at half the rate, and half the rate in g's direction; the retain step: decay alone
    moved = [(1 - 5e-4 * (one.ndim > 1)) * one for one in shares]
    moved = [(m - 5e-3 * d.sign()) * (1 - 1e-3 * (m.ndim > 1)) for m, d in zip(moved, g, strict=True)]
    assert (flat(updater.trainable.shares) - flat(moved)).norm() < 1e-6
    assert chosen.states == 4
    assert set(updater.states) == {"optimizer", "optimizer1", "combine", "smooth"}


@pytest.mark.parametrize("combine", ALL, ids=called)
def test_one_large_batch_is_its_micro_batches(combine):
    """Methods here are not linear in the gradients: each is made once, of complete ones."""
    finals = [flat(run(combine, accumulation=n, steps=2, optimizer=SGD).model.parameters()) for n in (1, 4)]
    moved = (finals[0] - flat(tiny_model().parameters())).norm()
    assert (finals[0] - finals[1]).norm() < 1e-9 * moved


@pytest.mark.parametrize("combine", STATEFUL, ids=called)
def test_a_resumed_run_is_the_uninterrupted_one(combine, tmp_path):
    options = {"dtype": torch.float32, "batch_size": 4, "steps": None, "epochs": 3, "forget": "ga"}
    whole = run(combine, **options)
    with pytest.raises(CutError):
        run(combine, tmp_path, on_step=cut_at(5, raise_cut), **options)
    again = run(combine, tmp_path, **options)
    assert again.resumed_from == 4
    assert weights_hash(again.model) == weights_hash(whole.model)
    assert [record["multiplier"] for record in again.records] == [record["multiplier"] for record in whole.records]


def test_a_dual_variable_that_no_checkpoint_has_is_found_out(monkeypatch, tmp_path):
    """open-unlearning's PDU: a resumed run begins at its first lambda."""
    collect = checkpoint.collect
    monkeypatch.setattr(checkpoint, "collect", lambda trainable, kept, of_run: collect(trainable, kept, {}))
    with pytest.raises((AssertionError, KeyError)):
        test_a_resumed_run_is_the_uninterrupted_one("pdu", tmp_path)


@pytest.mark.parametrize("combine", ["bilevel", "weighted", "sago", "pdu", "dual"])
def test_three_cosines_of_every_step_with_two_gradients(combine):
    (record,) = run(combine, steps=1, log_gradients=True, optimizer=SGD).records
    model = tiny_model()
    f = flat_gradient(value(loss("npo"), model, STREAMS["forget"], SUMS), model)
    r = flat_gradient(value(loss("nll"), model, STREAMS["retain"]), model)
    u = {"bilevel": r + (1 - f @ r / (f @ f)) * f, "sago": torch.where(f * r >= 0, f, r)}.get(combine, f + r)
    pairs = {"cosine": (f, r), "update_forget_cosine": (u, f), "update_retain_cosine": (u, r)}
    for name, (a, b) in pairs.items():
        assert record[name] == pytest.approx(torch.cosine_similarity(a, b, 0).item(), abs=1e-9), name
    assert record["kept"] == pytest.approx(record["promise"], rel=1e-9), "plain SGD does what was promised"


def test_clipping_bounds_the_sum_of_two_steps():
    plain, clipped = (run("dual", steps=1, optimizer=SGD, max_grad_norm=limit) for limit in (None, 1.0))
    moved = [flat(one.model.parameters()) - flat(tiny_model().parameters()) for one in (plain, clipped)]
    assert moved[1].norm().item() == pytest.approx(1e-3, rel=1e-9)
    assert torch.cosine_similarity(*moved, 0).item() == pytest.approx(1.0)
