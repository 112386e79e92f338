"""Planned memory against the measured peak of small models on the CPU: the issue's bar is 10%."""

import pytest
import torch

from blur.bench.memory import LARGE, SMALL, Case, build, measured, peak_of
from blur.core.choice import available
from blur.core.choice import build as build_axis
from blur.measure import likelihood
from blur.measure.generate import generate
from blur.measure.likelihood import Passage, score
from blur.models.encode import Example
from blur.planner.activations import Tokens
from blur.planner.architecture import from_fields
from blur.planner.losses import count
from blur.planner.memory import evaluation_memory
from blur.planner.trainable import Trained
from blur.unlearn.losses.base import ActivationLoss, LossBase
from blur.unlearn.optimizers.sophia import OwnLabels

# Cases that `make test-all` measures as well, each with those that stand for it in CI: the same terms in another size.
LONG = {
    "graddiff, wide": ["graddiff"],
    "graddiff, deep": ["ga"],
    "graddiff, long": ["graddiff, padded, 2 of 4 heads"],
    "graddiff, vocabulary 64": ["graddiff, padded, 2 of 4 heads"],
    "graddiff, vocabulary 8192": ["graddiff, tied, short"],
    "graddiff, checkpointing, long": ["graddiff, checkpointing"],
    "graddiff, Qwen2": ["graddiff, Mistral"],
    "blur_npo, 15M": ["blur_npo"],
    "blur_npo, small batch": ["blur_npo"],
    "npo_klr, vocabulary 4096": ["npo_klr"],
    "npo_klr, bfloat16": ["npo_klr", "blur_npo, bfloat16"],
    "blur_npo_kl": ["npo_klr", "blur_npo"],
    "blur_rmu, all weights": ["blur_rmu", "blur_npo"],
    "LoRA, bfloat16": ["LoRA", "blur_npo, bfloat16"],
    "LoRA, checkpointing": ["LoRA", "blur_npo, checkpointing"],
}


def test_what_stands_for_a_long_case_is_measured_in_ci() -> None:
    assert {*LONG, *(name for names in LONG.values() for name in names)} <= SMALL.keys()
    assert not [name for names in LONG.values() for name in names if name in LONG]


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.long] * (name in LONG)) for name in SMALL])
def test_the_plan_of_an_update_is_within_a_tenth_of_its_measured_peak(name: str) -> None:
    case = SMALL[name]
    assert case.planned("cpu").peak.total == pytest.approx(measured(case), rel=0.05)


def test_cases_for_a_gpu_can_be_planned() -> None:
    totals = {name: case.planned("cuda").peak.total for name, case in LARGE.items()}
    assert totals["graddiff, 1B"] > totals["graddiff, 135M"]
    assert totals["graddiff, 1B"] > totals["graddiff, 1B, checkpointing"]


def test_what_a_block_keeps_is_what_autograd_saves() -> None:
    sizes = {}
    for layers in (2, 3):
        updater = build(Case(layers=layers, kv_heads=2, batch=3, length=48), "cpu")
        own = {parameter.untyped_storage().data_ptr() for parameter in updater.parameters}
        storages: dict[int, torch.Tensor] = {}

        def pack(tensor: torch.Tensor, own: set = own, storages: dict = storages) -> torch.Tensor:
            if tensor.untyped_storage().data_ptr() not in own:
                storages[tensor.untyped_storage().data_ptr()] = tensor
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            logits = updater.model(input_ids=torch.ones(3, 48, dtype=torch.int64), use_cache=False).logits
        sizes[layers] = sum(tensor.untyped_storage().nbytes() for tensor in storages.values())
        del logits
    architecture = from_fields(Case(kv_heads=2).fields)
    block = Trained(architecture, Case().unlearn, 4).blocks[0]
    assert block.saved(Tokens(3, 48, 0)) == sizes[3] - sizes[2]


@pytest.mark.parametrize("name", [*available("blur.unlearn.losses"), OwnLabels().name])
@pytest.mark.parametrize("element", [4, 2])
def test_the_peak_that_a_loss_declares_is_what_is_counted(name: str, element: int) -> None:
    hidden, others = name in ("rmu", "rmu_adaptive", "activation_mse"), name in ("dpo", "alternate_nll")
    settings = {"name": name} | ({"layer": 0} if hidden else {"alternates": "refusals"} if others else {})
    own = {OwnLabels().name: OwnLabels()}  # an optimizer's, on no axis
    loss = own.get(name) or build_axis("blur.unlearn.losses", "Loss", settings)
    assert isinstance(loss, LossBase)
    assert isinstance(loss, ActivationLoss) == hidden
    assert loss.peak is not None
    assert count(loss, element) == pytest.approx(loss.peak[element != 4], rel=0.05)


@pytest.mark.parametrize("vocab", [256, 8192])
def test_measuring_a_model_is_within_a_tenth_too(vocab: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likelihood, "CACHED", likelihood.CHUNK)  # blocks of the size that the plan is about: a GPU's
    case = Case(vocab=vocab, length=256)
    trained = Trained(from_fields(case.fields), case.unlearn, 4)
    texts = [torch.randint(1, vocab, (128,)).tolist() for _ in range(16)]

    def score_all() -> None:
        passages = [Passage("set", "text", 0, "", Example(str(i), text, 0), False) for i, text in enumerate(texts)]
        score(build(case, "cpu").model, passages, 2048)

    def generate_all() -> None:
        model: object = build(case, "cpu").model.eval()
        generate(model, texts, 32, 16 * 160, None)  # type: ignore[arg-type]

    one = Tokens(1, 128, 127)
    # the case's own texts and reference sums are a few kilobytes
    assert trained.weights + evaluation_memory(trained, one, 0, 2048) == pytest.approx(peak_of(score_all), rel=0.1)
    assert trained.weights + evaluation_memory(trained, one, 2560, 0) == pytest.approx(peak_of(generate_all), rel=0.1)
