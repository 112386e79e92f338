"""RMU's losses against closed forms written one sequence at a time, in float64, and the faults of other codebases."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from blur.core.errors import BlurError, ConfigError
from blur.models.batch import collate
from blur.models.encode import Example
from blur.unlearn.loop import train
from blur.unlearn.losses.base import Reference
from blur.unlearn.losses.rmu import control_vector
from blur.unlearn.step import Sources
from blur.unlearn.views import View
from tests.unlearn.support import Capture, examples, flat, flat_gradient, loss, settings, streams, tiny_model, value

TEXTS = [replace(text, topic="bio" if number % 2 else "cyber") for number, text in enumerate(examples(5, "f"))]
STREAMS = {**streams(), "forget": [replace(t, topic="bio") for t in streams()["forget"]]}
BATCH = {"forget": [0, 2, 4, 5, 6], "retain": [9, 1, 3, 0, 7]}
RMU, MSE = {"name": "rmu", "layer": 1, "coefficient": 6.5}, {"name": "activation_mse", "layer": 1}
SIZE = 16


def states(model, text, layer=0):
    """What leaves a layer for one unpadded text, [T, d], from a whole pass with a hook."""
    seen = []
    handle = model.transformer.h[layer].register_forward_hook(
        lambda _m, _i, output: seen.append(output if isinstance(output, torch.Tensor) else output[0])
    )
    model(input_ids=torch.tensor([text.input_ids]))
    handle.remove()
    return seen[0][0]


def by_hand(name, model, original, texts, layer=0, coefficient=3.0, seed=0):
    total, number = 0.0, 0
    for text in texts:
        h = states(model, text, layer)
        if name == "rmu":
            target = (coefficient * control_vector(seed, text.topic, SIZE)).expand_as(h)
        else:
            target = states(original, text, layer).detach()
        for position in range(len(text.input_ids)):
            for unit in range(SIZE):
                total = total + (h[position, unit] - target[position, unit]) ** 2
                number += 1
    return total / number


def ours(name, model, original, texts, layer=0, **others):
    parameters = {"coefficient": 3.0} if name == "rmu" else {}
    return value(loss(name, layer=layer, **parameters), model, texts, None, original, **others)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("name", ["rmu", "activation_mse"])
def test_value_and_gradient_are_the_formula_with_topics_mixed(name, layer, model, original):
    mine, theirs = ours(name, model, original, TEXTS, layer), by_hand(name, model, original, TEXTS, layer)
    assert mine.item() == pytest.approx(theirs.item(), rel=1e-13)
    expected = flat_gradient(theirs, model)
    assert (flat_gradient(mine, model) - expected).norm() <= 1e-12 * expected.norm()


@pytest.mark.parametrize("name", ["rmu", "activation_mse"])
def test_padding_and_split_change_nothing(name, model, original):
    whole = ours(name, model, original, TEXTS)
    padded = ours(name, model, original, TEXTS, extra_padding=7)
    parts = [(ours(name, model, original, [text]), len(text.input_ids)) for text in TEXTS]
    split = sum(v * n for v, n in parts) / sum(n for _, n in parts)
    gradient = flat_gradient(whole, model)
    for other in (padded, split):
        assert other.item() == pytest.approx(whole.item(), rel=1e-13)
        assert (flat_gradient(other, model) - gradient).norm() <= 1e-12 * gradient.norm()


def test_a_text_of_one_token(model, original):
    lone = [Example("x", [7], 0, "bio")]
    for name in ("rmu", "activation_mse"):
        expected = by_hand(name, model, original, lone)
        assert ours(name, model, original, lone).item() == pytest.approx(expected.item(), rel=1e-13)


def test_prompt_tokens_count_too(model, original):
    """An activation has no label: a text counts alike whatever part of it is prompt."""
    whole, prompted = ([replace(text, num_prompt=p) for text in TEXTS] for p in (0, 2))
    for name in ("rmu", "activation_mse"):
        assert ours(name, model, original, whole) == ours(name, model, original, prompted)


def test_activation_mse_at_the_reference_is_nothing(model):
    mine = ours("activation_mse", model, model, TEXTS)
    assert mine.item() == 0
    assert flat_gradient(mine, model).count_nonzero() == 0


def test_rmu_vanishes_where_the_states_are_the_target():
    from blur.models.hidden import HiddenStates

    topics = ("a", "b", "a")
    rows = torch.tensor([0, 1, 1, 2])
    target = torch.stack([6.5 * control_vector(9, topics[row], SIZE) for row in rows.tolist()])
    term = loss("rmu", coefficient=6.5)
    at = term.numerator(HiddenStates(target, rows, topics, 3), Reference(seed=9))
    assert at.tolist() == [0, 0, 0]
    assert at.dtype == torch.float64
    moved = term.numerator(HiddenStates(target + 2, rows, topics, 3), Reference(seed=9))
    assert moved.tolist() == pytest.approx([4, 8, 4])
    other = term.numerator(HiddenStates(target, rows, topics, 3), Reference(seed=8))
    assert (other > 0).all()


def test_pull_falls_as_one_over_the_width():
    """The mean over units makes the gradient on one unit 2 (h - c u) / (N d): a sum would not depend on d."""
    from blur.models.hidden import HiddenStates

    for size in (8, 32):
        states = torch.zeros(1, size, dtype=torch.float64, requires_grad=True)
        hidden = HiddenStates(states, torch.tensor([0]), ("",), 1)
        loss("rmu", coefficient=5.0).numerator(hidden, Reference()).sum().backward()
        assert states.grad.norm().item() == pytest.approx(2 * 5.0 / size, rel=1e-12)


def test_control_vectors():
    bio, cyber = control_vector(0, "bio", 4096), control_vector(0, "cyber", 4096)
    for vector in (bio, cyber):
        assert vector.dtype == torch.float64
        assert vector.norm().item() == pytest.approx(1, rel=1e-12)
        assert (vector >= 0).all()
        scaled = vector / vector.max()
        assert scaled.mean().item() == pytest.approx(0.5, abs=0.03)
        assert scaled.var().item() == pytest.approx(1 / 12, abs=0.01)
    assert not torch.allclose(bio, cyber)
    assert not torch.allclose(bio, control_vector(1, "bio", 4096))
    control_vector.cache_clear()
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    assert torch.equal(bio, control_vector(0, "bio", 4096))
    assert torch.equal(torch.random.get_rng_state(), state), "the run's own draws are untouched"


def test_known_control_vector_does_not_drift():
    """A change here changes every RMU result: raise the numerics epoch with it."""
    assert control_vector(0, "", 3).tolist() == pytest.approx(
        [0.4310612632811745, 0.6467935251266961, 0.6291616033680217], rel=1e-12
    )


def test_the_seed_of_the_run_reaches_the_directions():
    found = [capture(seed=seed)[0] for seed in (0, 0, 1)]
    assert torch.equal(found[0], found[1])
    assert (found[0] - found[2]).norm() > 1e-3 * found[0].norm()


# The update.


def capture(accumulation=1, indices=BATCH, retain=MSE, forget=RMU, combine="bilevel", **options):
    model, config = tiny_model(0), settings(forget, retain, combine, accumulation=accumulation, **options)
    updater = Capture(model, config, Sources(STREAMS, None, tiny_model(5)))
    record, _ = updater.update(1, indices, 0.0)
    return updater.seen, record


def gradients():
    model = tiny_model(0)
    sides = []
    for side, name in (("forget", "rmu"), ("retain", "activation_mse")):
        texts = [STREAMS[side][i] for i in BATCH[side]]
        sides.append(flat_gradient(by_hand(name, model, tiny_model(5), texts, 1, 6.5), model))
    return sides


@pytest.mark.parametrize("accumulation", [1, 2, 4])
def test_blur_rmus_direction_whatever_the_accumulation(accumulation):
    f, r = gradients()
    u = r + (1 - (f @ r) / (f @ f)) * f
    seen, record = capture(accumulation)
    assert (seen - u).norm() <= 1e-12 * u.norm()
    assert record["cosine"] == pytest.approx((f @ r / f.norm() / r.norm()).item(), rel=1e-10)


def test_blur_fault_24_alpha_times_our_update_is_the_authors_wmdp_form():
    """BLUR-RMU is `bilevel` at gamma = 1 / alpha: SGD at alpha times the rate takes the authors' step."""
    alpha, lr = 800.0, 1e-4
    f, r = gradients()
    theirs = f + alpha * (r - (f @ r) / (f @ f) * f)
    combine = {"name": "bilevel", "gamma": 1 / alpha}
    seen, _ = capture(combine=combine)
    assert (alpha * seen - theirs).norm() <= 1e-12 * theirs.norm()
    sgd = {"name": "sgd", "lr": alpha * lr}
    model, config = tiny_model(0), settings(RMU, MSE, combine, optimizer=sgd, steps=1, batch_size=7)
    one_batch = {side: [STREAMS[side][i] for i in BATCH[side]] for side in BATCH}
    train(model, one_batch, config, reference_model=tiny_model(5))
    moved = flat(model.parameters()) - flat(tiny_model(0).parameters())
    assert (moved + lr * theirs).norm() <= 1e-12 * flat(model.parameters()).norm()
    assert (moved + lr * theirs).norm() <= 1e-10 * moved.norm()


def test_rmu_is_the_weighted_sum_at_lambda_alpha():
    f, r = gradients()
    seen, _ = capture(combine={"name": "weighted", "lam": 1200.0})
    assert (seen - (f + 1200 * r)).norm() <= 1e-12 * (f + 1200 * r).norm()


def test_terms_with_the_same_view_share_a_pass_and_others_do_not():
    def passes(*losses):
        base = settings(RMU, MSE).model_dump(mode="json")
        config = type(settings()).model_validate({**base, "retain": [{"loss": each} for each in losses]})
        updater, calls = Capture(tiny_model(0), config, Sources(STREAMS, None, tiny_model(5))), []
        updater.model.register_forward_pre_hook(lambda *_: calls.append(1))
        record, _ = updater.update(1, BATCH, 0.0)
        return len(calls) - 1, record["retain_loss"]

    scaled = {**MSE, "layer": 31, "of": 32}
    alone, (twice, both) = passes(MSE)[1], passes(MSE, scaled)
    assert twice == 1, "the same layer by another name"
    assert both == pytest.approx(2 * alone, rel=1e-12)
    assert passes(MSE, {**MSE, "layer": 0})[0] == 2
    assert passes(MSE, "nll")[0] == 2
    assert passes("nll", "kl")[0] == 1


def test_the_reference_stops_at_the_layer_too():
    original, ran = tiny_model(5), []
    for number, layer in enumerate(original.transformer.h):
        layer.register_forward_hook(lambda *_, number=number: ran.append(number))
    term = {**MSE, "layer": 0}
    updater = Capture(tiny_model(0), settings({**RMU, "layer": 0}, term), Sources(STREAMS, None, original))
    updater.update(1, BATCH, 0.0)
    assert ran == [0], "once, for the retain batch"
    assert all(parameter.grad is None for parameter in original.parameters())


def test_rmu_alone_needs_no_reference():
    model = tiny_model(0)
    train(model, STREAMS, settings(RMU, "nll", "bilevel", steps=2))
    with pytest.raises(ConfigError, match="hidden states of the original model"):
        train(model, STREAMS, settings(RMU, MSE))
    with pytest.raises(BlurError, match="reads reference_hidden without naming it"):
        loss("activation_mse").numerator(View("attended", 0).read(model, collate(TEXTS)), Reference())


def test_rmu_moves_the_forget_states_and_keeps_the_others():
    model, start = tiny_model(0), tiny_model(0)
    config = settings(RMU, MSE, {"name": "bilevel", "gamma": 0.05}, epochs=40, optimizer={"name": "adamw", "lr": 3e-3})
    records = train(model, STREAMS, config, reference_model=start).records
    assert records[-1]["forget_loss"] < 0.5 * records[0]["forget_loss"]
    moved = {
        side: sum((states(model, t, 1) - states(start, t, 1)).square().mean().item() for t in texts) / len(texts)
        for side, texts in STREAMS.items()
    }
    assert moved["retain"] < 0.5 * moved["forget"]


@pytest.mark.parametrize("side", ["forget", "retain"])
def test_what_is_not_finite_is_named(side):
    model, original = tiny_model(0), tiny_model(5)
    with torch.no_grad():
        (model if side == "forget" else original).transformer.h[0].mlp.c_fc.bias[0] = math.nan
    updater = Capture(model, settings(RMU, MSE), Sources(STREAMS, None, original))
    name = {"forget": "rmu", "retain": "activation_mse"}[side]
    with pytest.raises(BlurError, match=rf"step 3: the {side} loss is not finite \({name} on {side}\)"):
        updater.update(3, BATCH, 1e-3)


@pytest.mark.parametrize("scope", ["all", {"name": "modules", "patterns": [r"h\.1\.mlp\.c_proj"]}])
def test_gradient_checkpointing_changes_no_result(scope):
    finals = []
    for on in (False, True):
        model, config = tiny_model(0), settings(RMU, MSE, steps=3, scope=scope, gradient_checkpointing=on)
        train(model, STREAMS, config, reference_model=tiny_model(0))
        finals.append(flat(model.parameters()))
    assert torch.equal(*finals)
    assert not torch.equal(finals[0], flat(tiny_model(0).parameters()))


def test_adapters_are_moved():
    config = settings(RMU, MSE, steps=3, wrapper={"name": "lora", "rank": 2})
    records = train(tiny_model(0), STREAMS, config, reference_model=tiny_model(0)).records
    assert records[-1]["forget_loss"] < records[0]["forget_loss"]


# Faults of other codebases, each beside the faulty formula.


def full_states(model, batch, layer=0):
    seen = []
    handle = model.transformer.h[layer].register_forward_hook(lambda _m, _i, output: seen.append(output))
    model(input_ids=batch.input_ids, attention_mask=batch.attention_mask)
    handle.remove()
    return seen[0] if isinstance(seen[0], torch.Tensor) else seen[0][0]


def test_rmu_fault_padding_is_averaged_in(model, original):
    """The authors' MSE is over all of [B, T, d]: a longer neighbour changes what a text counts."""
    same_topic = [replace(text, topic="bio") for text in TEXTS]
    batch = collate(same_topic)
    h, h_ref, target = full_states(model, batch), full_states(original, batch), 3 * control_vector(0, "bio", SIZE)
    for name, faulty in (("rmu", (h - target).square().mean()), ("activation_mse", (h - h_ref).square().mean())):
        mine = ours(name, model, original, same_topic)
        assert mine.item() == pytest.approx(by_hand(name, model, original, same_topic).item(), rel=1e-13)
        assert abs(faulty - mine) > 1e-3 * mine


def test_open_unlearning_fault_sums_over_counts_make_a_matrix(model, original):
    """A masked sum [B] divided by counts [B, 1] broadcasts to [B, B]; right for one text only."""
    batch = collate(TEXTS)
    mask = batch.attention_mask
    squares = (full_states(model, batch) - full_states(original, batch)).square().mean(-1)
    sums, counts = (squares * mask).sum(-1), mask.sum(-1, keepdim=True)
    faulty = sums / counts
    assert faulty.shape == (5, 5)
    mine = ours("activation_mse", model, original, TEXTS)
    assert abs(faulty.mean() - mine) > 1e-3 * mine
    assert mine.item() == pytest.approx((sums.sum() / counts.sum()).item(), rel=1e-12)
    single = ours("activation_mse", model, original, TEXTS[:1])
    assert single.item() == pytest.approx((sums[0] / counts[0]).item(), rel=1e-12)
    term = loss("activation_mse")
    numerators = term.numerator(
        View("attended", 0).read(model, batch), Reference(known_hidden=View("attended", 0).read(original, batch).states)
    )
    assert numerators.shape == (5,)
    assert torch.allclose(numerators, sums, rtol=1e-12)


def test_rmu_fault_one_direction_for_a_batch_of_two_topics(model, original):
    mixed = ours("rmu", model, original, TEXTS)
    one = ours("rmu", model, original, [replace(text, topic="bio") for text in TEXTS])
    assert abs(mixed - one) > 1e-3 * mixed
