"""SURE's scope against saliency, mask and AdamW written out in float64, and the fault of its authors' code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.distributed as dist

from blur.core.errors import ArtifactError, BlurError, ConfigError
from blur.unlearn.loop import train
from blur.unlearn.references import reference_sums
from blur.unlearn.scopes.saliency import Scope, kth
from blur.unlearn.step import Sources, Updater
from tests import architectures
from tests.unlearn import parallel
from tests.unlearn.support import flat, settings, streams, tiny_model, token_nlls, weights_hash
from tests.unlearn.test_loop import CutError, cut_at, raise_cut

STREAMS = streams(7, 7)
LR, DECAY, STEPS = 1e-2, 0.1, 3
GRANULARITIES = ("tensor", "row", "element")
CONV1D = ("c_attn.weight", "c_proj.weight", "c_fc.weight")  # [in, out]


def chosen(combine="weighted", granularity="row", percentile=90, **others):
    scope = {"name": "saliency", "granularity": granularity, "percentile": percentile}
    optimizer = {"name": "adamw", "lr": LR, "weight_decay": DECAY}
    options = {"scope": scope, "optimizer": optimizer, "batch_size": 7, "steps": STEPS, **others}
    return settings("ga", "nll", combine, **options)


def gradients(model, side, sign):
    """Gradient of the mean token loss over a whole stream, by parameter name."""
    nlls = torch.cat([token_nlls(model, text) for text in STREAMS[side]])
    made = torch.autograd.grad(sign * nlls.mean(), list(model.parameters()), allow_unused=True)
    pairs = zip(model.named_parameters(), made, strict=True)
    return {name: torch.zeros_like(p) if grad is None else grad for (name, p), grad in pairs}


def units(name, gradient, granularity):
    """The norm of each unit, spread over its entries; and each unit's norm once."""
    values = gradient.numpy()
    if granularity == "tensor":
        norms = np.full(values.shape, np.linalg.norm(values))
        return norms, norms.flat[:1]
    if granularity == "element" or values.ndim == 1:
        return np.abs(values), np.abs(values).ravel()
    axis = 0 if name.endswith(CONV1D) else 1
    norms = np.sqrt((values**2).sum(axis, keepdims=True))
    return np.broadcast_to(norms, values.shape), norms.ravel()


def masks_by_hand(granularity, percentile):
    found = {n: units(n, g, granularity) for n, g in gradients(tiny_model(), "forget", -1).items()}
    threshold = np.percentile(np.concatenate([norms for _, norms in found.values()]), percentile)
    return {name: torch.from_numpy(spread >= threshold) for name, (spread, _) in found.items()}


def by_hand(masks, combine):
    """Steps of AdamW along g_f + g_r, or BLUR's u, on the entries of the masks; the first step's forget norm."""
    model, norms = tiny_model(), []
    moments = {name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in model.named_parameters()}
    for step in range(1, STEPS + 1):
        f, r = gradients(model, "forget", -1), gradients(model, "retain", 1)
        f, r = ({name: grad * masks[name] for name, grad in side.items()} for side in (f, r))
        ff, fr = sum((f[n] ** 2).sum() for n in f), sum((f[n] * r[n]).sum() for n in f)
        xi = 1 - fr / ff if combine == "bilevel" else 1.0
        norms.append((ff.sqrt().item(), fr.item()))
        with torch.no_grad():
            for name, p in model.named_parameters():
                g, (m, v) = r[name] + xi * f[name], moments[name]
                m.mul_(0.9).add_(0.1 * g)
                v.mul_(0.999).add_(0.001 * g**2)
                decayed = p * (1 - LR * DECAY) if p.ndim > 1 else p
                new = decayed - LR * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
                p.copy_(torch.where(masks[name], new, p))
    return model, norms


def check_untouched(model, start, masks):
    """Weights outside the masks are those of the start to the last bit, and those inside have moved."""
    for (name, after), before in zip(model.named_parameters(), start.parameters(), strict=True):
        outside = ~masks[name]
        assert torch.equal(after[outside], before[outside]), name
        assert not torch.equal(after, before) or outside.all(), name


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("combine", ["weighted", "bilevel"])
def test_saliency_mask_and_steps_are_those_written_out(granularity, combine):
    masks = masks_by_hand(granularity, 80)
    expected, norms = by_hand(masks, combine)
    result = train(tiny_model(), STREAMS, chosen(combine, granularity, 80, log_gradients=True))
    check_untouched(result.model, tiny_model(), masks)
    moved = flat(result.model.parameters()) - flat(tiny_model().parameters())
    assert moved.norm() > 0.1
    assert (flat(result.model.parameters()) - flat(expected.parameters())).norm() < 1e-8 * moved.norm()
    for record, (norm, inner) in zip(result.records, norms, strict=True):
        assert record["forget_norm"] == pytest.approx(norm, rel=1e-9)
        assert record["inner"] == pytest.approx(inner, rel=1e-6)
        if combine == "bilevel":
            assert record["xi"] == pytest.approx(1 - inner / norm**2, rel=1e-6)


class Kept(Updater):
    """Keeps what the optimizer is given, and moves nothing."""

    def _apply(self, updates, statistics, lr):
        self.seen = flat(updates[0])


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_the_update_descends_by_gamma_along_what_may_move(granularity):
    """<g_f, u> = gamma ||g_f||^2 over the entries of the mask, jointly."""
    config = chosen({"name": "bilevel", "gamma": 2.0}, granularity, 80)
    capture = Kept(config.prepare(tiny_model()), config, Sources(STREAMS))
    indices = {side: list(range(7)) for side in STREAMS}
    capture.update(1, indices, LR)
    full, masks = gradients(tiny_model(), "forget", -1), masks_by_hand(granularity, 80)
    forget = torch.cat([full[name][masks[name]] for name, _ in tiny_model().named_parameters()])
    update = capture.seen
    assert forget.shape == update.shape
    assert torch.dot(forget, update).item() == pytest.approx(2 * torch.dot(forget, forget).item(), rel=1e-9)


@pytest.mark.parametrize("fault", ["never applied", "on the gradient only"])
def test_a_mask_that_does_not_hold_is_found_out(monkeypatch, fault):
    """The authors' mask sits in a method that nothing calls; one on gradients lets weight decay through."""
    masks = masks_by_hand("row", 90)
    if fault == "never applied":
        monkeypatch.setattr(Scope, "narrow", lambda self, trainable, model, gradient: trainable)
        broken = train(tiny_model(), STREAMS, chosen()).model
    else:
        broken = tiny_model()
        optimizer = chosen().optimizer.build(list(broken.parameters()))
        grads = gradients(broken, "forget", -1)
        for name, parameter in broken.named_parameters():
            parameter.grad = grads[name] * masks[name]
        optimizer.step()
    with pytest.raises(AssertionError):
        check_untouched(broken, tiny_model(), masks)


def test_saliency_does_not_depend_on_how_the_stream_is_cut():
    finals = [
        flat(train(tiny_model(), STREAMS, chosen(batch_size=size, accumulation=parts)).model.parameters())
        for size, parts in ((3, 1), (3, 2), (3, 3))
    ]
    for other in finals[1:]:
        assert (finals[0] - other).norm() < 1e-9
    untouched = [one == flat(tiny_model().parameters()) for one in finals]
    assert torch.equal(untouched[0], untouched[1])
    assert untouched[0].float().mean() > 0.5


@pytest.mark.parametrize("optimizer", [{"name": "sgd", "lr": LR, "momentum": 0.9, "weight_decay": DECAY}, None])
def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path, optimizer):
    options = {"optimizer": optimizer} if optimizer else {}
    config = chosen("bilevel", steps=None, epochs=3, batch_size=3, **options)

    def run(directory=None, **others):
        return train(tiny_model(0, torch.float32, 0.2), STREAMS, config, checkpoint_dir=directory, **others)

    whole = run()
    with pytest.raises(CutError):
        run(tmp_path, on_step=cut_at(5, raise_cut))
    again = run(tmp_path)
    assert again.resumed_from == 3
    assert weights_hash(again.model) == weights_hash(whole.model)


def test_a_checkpoint_with_another_mask_is_refused(tmp_path):
    train(tiny_model(), STREAMS, chosen(), checkpoint_dir=tmp_path)
    with pytest.raises(ArtifactError, match="start weights"):
        train(tiny_model(seed=1), STREAMS, chosen(), checkpoint_dir=tmp_path)


def test_masters_of_half_precision_move_what_the_mask_has():
    def half():
        return tiny_model(dtype=torch.bfloat16)

    result = train(half(), STREAMS, chosen(granularity="tensor", master_weights=True)).model
    pairs = zip(result.named_parameters(), half().parameters(), strict=True)
    moved = {name for (name, after), before in pairs if not torch.equal(after, before)}
    assert moved == {name for name, mask in masks_by_hand("tensor", 90).items() if mask.any()}
    assert len(moved) == 3
    assert {p.dtype for p in result.parameters()} == {torch.bfloat16}


def test_npo_is_salient_at_the_original_weights():
    """Its gradient there is that of gradient ascent, up to a factor for each text: it is not zero."""
    model = tiny_model()
    npo = settings("npo", "nll", "bilevel", scope="saliency", steps=2)
    result = train(model, STREAMS, npo, reference_sums=reference_sums(tiny_model(), STREAMS["forget"]))
    assert all(record["forget_norm"] > 0 for record in result.records)


@pytest.mark.parametrize("values", [[3.0], [1.0, 1.0, 1.0], [0.0, 2.5, 1e-30, 7.0, 2.5, 0.0]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_order_statistics(values, dtype):
    parts = [torch.tensor(values[:2], dtype=dtype), torch.tensor(values[2:], dtype=dtype)]
    for place, expected in enumerate(torch.tensor(values, dtype=dtype).sort().values):
        assert kth([part for part in parts if len(part)], place) == expected


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="`scope: saliency` is chosen by the forget loss, and there is none"):
        settings(None, "nll", "weighted", scope="saliency")
    with pytest.raises(ConfigError, match="no gradient from the forget loss"):  # of 40 x 16 + 64 x 16 embeddings, few
        train(tiny_model(), STREAMS, chosen(granularity="element", percentile=1))
    with pytest.raises(ValueError, match="less than or equal to 100"):
        chosen(percentile=101)
    broken = tiny_model()
    with torch.no_grad():
        broken.transformer.wpe.weight[0, 0] = float("nan")
    with pytest.raises(BlurError, match="not finite at the original weights"):
        train(broken, STREAMS, chosen())


SURE = {"forget": [{"loss": "ga"}], "retain": [{"loss": "nll"}], "combine": "bilevel", "scope": {"name": "saliency"}}
SURE["scope"] |= {"granularity": "row", "percentile": 80}


def work(folder):
    with pytest.raises(ConfigError, match="Use ddp instead of fsdp2"):
        parallel.run(SURE, sharded=True)
    first = parallel.run(SURE, accumulation=2)
    if dist.get_rank() == 0:
        (folder / "done").touch()
    return {"moved": parallel.moved(first)}


def test_two_processes_do_as_one_does(tmp_path):
    ranks = parallel.in_two_processes(work, tmp_path)
    alone = parallel.moved(parallel.run(SURE))
    assert torch.equal(ranks[0]["moved"], ranks[1]["moved"])
    assert parallel.distance(alone, ranks[0]["moved"]) < 1e-9
    assert torch.equal(alone == 0, ranks[0]["moved"] == 0)
    assert 0.5 < (alone == 0).double().mean() < 0.95


@pytest.mark.parametrize("family", ["mixtral", "gpt_oss"])
def test_a_row_of_fused_experts_is_an_output_of_one_expert(family):
    def rows(gradient):
        inputs = 1 if family == "gpt_oss" and gradient.ndim == 3 else -1
        return gradient.abs() if gradient.ndim == 1 else gradient.norm(dim=inputs, keepdim=True)

    name = "model.layers.1.mlp.experts.down_proj"
    norms = {one: rows(gradient) for one, gradient in gradients(architectures.build(family), "forget", -1).items()}
    middle = norms[name].median()
    below = (torch.cat([one.flatten() for one in norms.values()]) < middle).double().mean().item()
    config = chosen(granularity="row", percentile=100 * below)
    trainable = Updater(architectures.build(family), config, Sources(STREAMS)).trainable
    found = dict(zip(trainable.names, trainable.masks, strict=True))[name]
    different = found != (norms[name] >= middle).expand(found.shape)
    assert different.float().mean() < 0.02, "but for a row on the threshold"
    assert 0.4 < found.float().mean() < 0.6
