"""The whole update against an independent float64 computation, and the faults that show only there."""

from __future__ import annotations

import math
import weakref
from typing import ClassVar

import pytest
import torch
from torch.nn.functional import logsigmoid
from torch.utils._python_dispatch import TorchDispatchMode

from blur.core.errors import BlurError
from blur.models.batch import collate
from blur.models.forward import forward
from blur.unlearn.batches import Plan
from blur.unlearn.loop import train
from blur.unlearn.references import reference_sums
from blur.unlearn.step import Sources, Updater
from tests import tiny
from tests.unlearn.support import (
    Capture,
    flat,
    flat_gradient,
    loss,
    settings,
    streams,
    tiny_model,
    token_nlls,
    value,
)

STREAMS = streams()
SUMS = reference_sums(tiny_model(5), STREAMS["forget"])
BATCH = {"forget": [0, 2, 4, 5, 6], "retain": [9, 1, 3, 0, 7]}


def capture(dtype=torch.float64, indices=BATCH, **options):
    model = tiny_model(0, dtype)
    updater = Capture(model, settings(**options), Sources(STREAMS, SUMS, tiny_model(5, dtype)))
    record, _ = updater.update(1, indices, 0.0)
    return updater.seen.double(), record


def closed_form(gamma=1.0):
    """g_f, g_r and u in float64, text by text."""
    model = tiny_model(0)
    forget = [STREAMS["forget"][i] for i in BATCH["forget"]]
    retain = [STREAMS["retain"][i] for i in BATCH["retain"]]
    npo = [-(2 / 0.1) * logsigmoid(0.1 * (token_nlls(model, text).sum() - SUMS[text.id])) for text in forget]
    f = flat_gradient(sum(npo) / len(npo), model)
    nlls = [token_nlls(model, text) for text in retain]
    r = flat_gradient(sum(nll.sum() for nll in nlls) / sum(map(len, nlls)), model)
    return f, r, r + (gamma - (f @ r) / (f @ f)) * f


@pytest.mark.parametrize("accumulation", [1, 2, 4, 7])
@pytest.mark.parametrize(("dtype", "bar"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_direction_is_the_closed_form_whatever_the_accumulation(dtype, bar, accumulation):
    """Bar 3. Texts differ in length, so every micro-batch is padded; at 7 some micro-batches are empty."""
    f, r, u = closed_form()
    seen, record = capture(dtype, accumulation=accumulation)
    assert (seen - u).norm() <= bar * u.norm()
    assert record["forget_norm"] == pytest.approx(f.norm().item(), rel=bar * 10)
    assert record["retain_norm"] == pytest.approx(r.norm().item(), rel=bar * 10)
    assert record["cosine"] == pytest.approx((f @ r / f.norm() / r.norm()).item(), abs=bar * 10)
    assert record["xi"] == pytest.approx((1 - (f @ r) / (f @ f)).item(), rel=bar * 10)
    assert record["update_norm"] == pytest.approx(u.norm().item(), rel=bar * 10)


@pytest.mark.parametrize("combine", ["bilevel", "weighted", "reversed"])
@pytest.mark.parametrize("forget", ["npo", "simnpo", "npo_logits"])
@pytest.mark.parametrize("retain", ["nll", "kl"])
def test_five_steps_do_not_depend_on_accumulation(combine, forget, retain):
    finals = []
    for accumulation in (1, 2):
        model = tiny_model(0)
        chosen = settings(forget, retain, combine, accumulation=accumulation, steps=5)
        train(model, STREAMS, chosen, reference_sums=SUMS, reference_model=tiny_model(5))
        finals.append(flat(model.parameters()))
    assert (finals[0] - finals[1]).norm() <= 1e-9 * finals[0].norm()
    assert (finals[0] - flat(tiny_model(0).parameters())).norm() > 1e-2


def test_order_within_a_batch_changes_nothing():
    first, _ = capture()
    second, _ = capture(indices={stream: rows[::-1] for stream, rows in BATCH.items()})
    assert (first - second).norm() <= 1e-12 * first.norm()


def test_weighted_with_and_without_logged_gradients():
    f, r, _ = closed_form()
    combine = {"name": "weighted", "lam": 0.3}
    plain, record = capture(combine=combine)
    logged, with_norms = capture(combine=combine, log_gradients=True)
    expected = f + 0.3 * r
    assert (plain - expected).norm() <= 1e-12 * expected.norm()
    assert (logged - expected).norm() <= 1e-12 * expected.norm()
    assert record["cosine"] is None
    assert with_norms["cosine"] == pytest.approx((f @ r / f.norm() / r.norm()).item())
    assert record["update_norm"] == pytest.approx(with_norms["update_norm"])


def test_a_weighted_list_of_objectives_is_their_sum():
    texts = [STREAMS["retain"][i] for i in BATCH["retain"]]
    model, original = tiny_model(0), tiny_model(5)
    expected = 2 * value(loss("nll"), model, texts) + 0.5 * value(loss("kl"), model, texts, None, original)
    both = [{"loss": "nll", "weight": 2.0}, {"loss": "kl", "weight": 0.5}]
    base = settings(None, "nll", "weighted").model_dump(mode="json")
    chosen = type(settings()).model_validate({**base, "retain": both})
    updater = Capture(model, chosen, Sources(STREAMS, SUMS, original))
    record, _ = updater.update(1, BATCH, 0.0)
    assert record["retain_loss"] == pytest.approx(expected.item(), rel=1e-12)
    gradient = flat_gradient(expected, model)
    assert (updater.seen - gradient).norm() <= 1e-12 * gradient.norm()


@pytest.mark.parametrize(("forget", "retain"), [("ga", None), (None, "nll")])
def test_one_side_alone(forget, retain):
    side = "forget" if forget else "retain"
    texts = [STREAMS[side][i] for i in BATCH[side]]
    model = tiny_model(0)
    gradient = flat_gradient(value(loss(forget or retain), model, texts), model)
    seen, record = capture(forget=forget, retain=retain, combine="weighted")
    assert (seen - gradient).norm() <= 1e-12 * gradient.norm()
    other = "retain" if forget else "forget"
    assert record[f"{side}_norm"] == pytest.approx(gradient.norm().item(), rel=1e-12)
    assert record[f"{other}_norm"] is record[f"{other}_loss"] is record["xi"] is record["inner"] is None


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "gemma2"])
def test_logits_only_where_needed_are_the_models_own(architecture):
    """The head sees chosen positions only; what a model does after its head (Gemma's soft cap) still happens."""
    special = {"final_logit_softcapping": 0.5} if architecture == "gemma2" else {}
    model = tiny_model(0, torch.float32) if architecture == "gpt2" else tiny.build(architecture, 1, **special)
    for texts in (STREAMS["forget"], STREAMS["forget"][:1]):
        batch = collate(texts)
        for kind in ("scored", "attended"):
            full = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
            ours = forward(model, batch, kind)
            assert (
                ours.logits.shape[0] == batch.positions(kind).sum() < full.shape[0] * full.shape[1] + (len(texts) == 1)
            )
            assert torch.allclose(ours.logits, full[batch.positions(kind)], atol=1e-6)
            assert ours.rows.tolist() == batch.positions(kind).nonzero()[:, 0].tolist()


# Faults of the authors' code (blur_paper.md section 9).


def test_blur_faults_3_and_18_clipping_acts_on_the_combined_update():
    """Clipping empty gradients does nothing, and clipping the sum does not bound u, which then overwrites it."""
    f, r, u = closed_form(0.02)
    limit = 0.25 * u.norm().item()
    bilevel = {"name": "bilevel", "gamma": 0.02}
    seen, record = capture(max_grad_norm=limit, combine=bilevel)
    assert (seen - u * limit / u.norm()).norm() <= 1e-10 * limit
    assert record["update_norm"] == pytest.approx(u.norm().item(), rel=1e-9)
    model = tiny_model(0)
    assert torch.nn.utils.clip_grad_norm_(model.parameters(), limit) == 0, "no gradient yet: logs 0 and clips nothing"
    clipped_sum = (f + r) * min(1.0, limit / (f + r).norm().item())
    assert (seen - clipped_sum).norm() > 0.1 * limit
    loose, _ = capture(max_grad_norm=4 * u.norm().item(), combine=bilevel)
    assert (loose - u).norm() <= 1e-12 * u.norm()


class Saved:
    """What a graph keeps for its backward pass, counted while it lives."""

    alive: ClassVar[weakref.WeakSet[Saved]] = weakref.WeakSet()

    def __init__(self, tensor):
        self.tensor = tensor
        Saved.alive.add(self)


def test_blur_fault_4_the_two_graphs_are_never_alive_at_once():
    model, counts = tiny_model(0), []
    model.register_forward_pre_hook(lambda *_: counts.append(len(Saved.alive)))
    updater = Capture(model, settings(accumulation=2), Sources(STREAMS, SUMS))
    with torch.autograd.graph.saved_tensors_hooks(Saved, lambda saved: saved.tensor):
        updater.update(1, BATCH, 0.0)
        assert counts == [0, 0, 0, 0]
        counts.clear()
        first = value(loss("nll"), model, STREAMS["forget"])
        second = value(loss("nll"), model, STREAMS["retain"])
        assert counts[1] > 0, "the faulty order: both graphs alive"
        (first + second).backward()


class HostReads(TorchDispatchMode):
    """Counts reads of a number from a device."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*arguments, **(keywords or {}))


def test_blur_fault_5_host_reads_do_not_grow_with_the_number_of_tensors():
    """The authors read three numbers for each of about 291 tensors."""
    forget, retain = ([torch.randn(5) for _ in range(50)] for _ in range(2))
    names = [f"m{i}.w" for i in range(50)]
    with HostReads() as faulty:
        for a, b in zip(forget, retain, strict=True):
            _ = (a * b).sum().item(), (a * a).sum().item(), (b * b).sum().item()
    with HostReads() as ours:
        settings().combine.combine(forget, retain, names)
    assert faulty.count == 150
    assert ours.count <= 2


def test_blur_fault_8_a_parameter_outside_the_graph():
    model = tiny_model(0)
    model.register_parameter("unused", torch.nn.Parameter(torch.ones(3, dtype=torch.float64)))
    before = model.unused.detach().clone()
    train(model, STREAMS, settings(), reference_sums=SUMS)
    assert torch.equal(model.unused, before)


def test_blur_fault_14_retain_texts_are_not_paired_with_forget_texts():
    """With fixed pairs i -> i mod N, 7 forget texts would see 7 of 11 retain texts for ever."""
    plan = Plan({"forget": 7, "retain": 11}, "forget", 3, 0, 30)
    partners: dict[int, set[int]] = {}
    for step in range(30):
        for f, r in zip(plan.indices("forget", step), plan.indices("retain", step), strict=True):
            partners.setdefault(f, set()).add(r)
    assert set().union(*partners.values()) == set(range(11))
    assert min(len(seen) for seen in partners.values()) > 3


def test_blur_fault_16_every_micro_batch_reaches_the_update():
    """The authors' caches are reset at each micro-batch: the last one, scaled by 1/accumulation, is all there is."""
    _, _, u = closed_form()
    model, texts = tiny_model(0), {s: [STREAMS[s][i] for i in BATCH[s]] for s in BATCH}
    f = flat_gradient(value(loss("npo"), model, texts["forget"][-1:], SUMS) / 4, model)
    r = flat_gradient(value(loss("nll"), model, texts["retain"][-1:]) / 4, model)
    faulty = r + (1 - (f @ r) / (f @ f)) * f
    seen, _ = capture(accumulation=4)
    assert (seen - u).norm() <= 1e-12 * u.norm()
    assert (faulty - u).norm() > 0.3 * u.norm()


def test_micro_batches_of_unequal_token_counts_are_not_averaged_as_equals():
    """A mean of micro-batch means depends on the split; numerators over the global denominator do not."""
    model, texts = tiny_model(0), [STREAMS["retain"][i] for i in BATCH["retain"]]
    means = [value(loss("nll"), model, part) for part in (texts[:2], texts[2:])]
    _, record = capture(accumulation=2)
    assert abs(sum(means) / 2 - record["retain_loss"]) > 1e-3
    assert record["retain_loss"] == pytest.approx(value(loss("nll"), model, texts).item(), rel=1e-12)


def test_blur_fault_17_gamma_and_hierarchy_reach_the_update():
    _, _, one = closed_form(1.0)
    _, _, three = closed_form(3.0)
    seen, _ = capture(combine={"name": "bilevel", "gamma": 3.0})
    assert (seen - three).norm() <= 1e-12 * three.norm()
    assert (one - three).norm() > 0.1 * one.norm()
    swapped, _ = capture(combine="reversed")
    f, r, _ = closed_form()
    expected = f + (1 - (f @ r) / (r @ r)) * r
    assert (swapped - expected).norm() <= 1e-12 * expected.norm()
    assert (swapped - one).norm() > 1e-3 * one.norm()


def test_no_reference_model_is_run_for_npo():
    model, calls = tiny_model(0), []
    original = tiny_model(5)
    original.register_forward_pre_hook(lambda *_: calls.append(1))
    updater = Updater(model, settings(), Sources(STREAMS, SUMS, original))
    updater.update(1, BATCH, 1e-3)
    assert not calls


@pytest.mark.parametrize("poison", ["weights", "gradient"])
def test_what_is_not_finite_stops_the_run_and_names_the_step(poison):
    model = tiny_model(0)
    if poison == "weights":
        with torch.no_grad():
            model.transformer.h[0].mlp.c_fc.bias[0] = math.nan
    else:
        model.lm_head.weight.register_hook(lambda gradient: gradient * math.inf)
    before = flat(model.parameters())
    updater = Updater(model, settings(), Sources(STREAMS, SUMS))
    what = "forget loss" if poison == "weights" else "forget gradient"
    with pytest.raises(BlurError, match=rf"step 12: the {what} is not finite \(npo on forget\)"):
        updater.update(12, BATCH, 1e-3)
    assert torch.equal(flat(model.parameters()).nan_to_num(9.0), before.nan_to_num(9.0))
    plain = Updater(model, settings("ga", "nll", "weighted"), Sources(STREAMS))
    with pytest.raises(BlurError, match="not finite"):
        plain.update(1, BATCH, 1e-3)


def test_a_loss_that_gives_a_mean_over_the_batch_is_refused(monkeypatch):
    """It would be divided by the whole batch's count again, and depend on how the batch is split."""
    from blur.unlearn.losses.ga import Loss

    monkeypatch.setattr(Loss, "numerator", lambda self, outputs, reference: -outputs.nll_sums.mean())
    with pytest.raises(
        BlurError, match=r"losses.ga: `numerator` gives a tensor of shape \[\], not a number for each of 2"
    ):
        Updater(tiny_model(), settings("ga", "nll"), Sources(streams())).update(
            1, {"forget": [0, 1], "retain": [0]}, 0.0
        )
