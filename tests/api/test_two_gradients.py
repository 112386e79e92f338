"""A loop of one's own with `blur.TwoGradients` gives the weights of ours."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments

import blur
from blur.core.choice import available
from blur.core.errors import BlurError, ConfigError
from blur.models.batch import collate, count
from blur.models.encode import Example
from blur.unlearn.loop import _plan, train
from blur.unlearn.references import reference_sums
from blur.unlearn.settings import UnlearnSettings
from tests.unlearn import support

STREAMS = support.streams()
SUMS = reference_sums(support.tiny_model(), STREAMS["forget"])
STEPS = 5


def settings(combine: Any, **others: Any) -> UnlearnSettings:
    return support.settings("npo", "nll", combine, **{"batch_size": 4, "steps": STEPS, **others})


def batches(asked: UnlearnSettings) -> list[tuple[list[Example], list[Example]]]:
    """The forget and retain texts of each of the loop's steps."""
    plan = _plan(STREAMS, asked)
    names = ("forget", "retain")
    return [
        tuple([STREAMS[name][index] for index in plan.indices(name, step)] for name in names)  # type: ignore[misc]
        for step in range(plan.total_steps)
    ]


def inputs(texts: Sequence[Example]) -> dict[str, Tensor]:
    batch = collate(texts)
    sums = torch.tensor([SUMS.get(text.id, 0.0) for text in texts], dtype=torch.float64)
    return {
        "input_ids": batch.input_ids,
        "attention_mask": batch.attention_mask,
        "labels": batch.labels,
        "reference_sums": sums,
    }


def logits(model: nn.Module, given: dict[str, Tensor]) -> Tensor:
    found: Tensor = model(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).logits
    return found


def forget_loss(model: nn.Module, texts: Sequence[Example], total: float | None = None) -> Tensor:
    given = inputs(texts)
    return blur.losses.npo(logits(model, given), given["labels"], reference_sums=given["reference_sums"], total=total)


def retain_loss(model: nn.Module, texts: Sequence[Example], total: float | None = None) -> Tensor:
    given = inputs(texts)
    return blur.losses.nll(logits(model, given), given["labels"], total=total)


def weights(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def trained(asked: UnlearnSettings) -> Tensor:
    return weights(train(support.tiny_model(), STREAMS, asked, reference_sums=SUMS).model)


# All but the one that looks at losses elsewhere, which is refused.
@pytest.mark.parametrize("name", sorted({*available("blur.unlearn.combine")} - {"ofmu"}))
def test_the_weights_are_the_loop_s(name: str) -> None:
    combine = {"name": name, **({"level": 0.1} if name == "gate" else {})}
    asked = settings(combine)
    model = support.tiny_model()
    start = weights(model)
    optimizer = blur.TwoGradients(model, {"name": "adamw", "lr": 1e-2}, combine)
    for forget, keep in batches(asked):
        optimizer.step(forget_loss(model, forget), retain_loss(model, keep))
    assert (weights(model) - start).abs().max() > 1e-3
    torch.testing.assert_close(weights(model), trained(asked), rtol=0, atol=1e-9)


def test_the_two_gradients_are_complete_before_they_are_combined() -> None:
    asked = settings("bilevel")
    model = support.tiny_model()
    optimizer = blur.TwoGradients(model, {"name": "adamw", "lr": 1e-2})
    for forget, keep in batches(asked):
        tokens = sum(count(text, "token") for text in keep)
        for place in range(0, len(forget), 2):
            of_forget, of_keep = forget[place : place + 2], keep[place : place + 2]
            optimizer.backward(forget_loss(model, of_forget, len(forget)), retain_loss(model, of_keep, tokens))
        optimizer.step()
    torch.testing.assert_close(weights(model), trained(asked), rtol=0, atol=1e-9)


def test_the_momentum_of_what_is_kept_and_clipping_are_the_loop_s() -> None:
    combine = {"name": "bilevel", "momentum": "retain", "gamma": 2.0}
    asked = settings(combine, max_grad_norm=0.5)
    model = support.tiny_model()
    optimizer = blur.TwoGradients(model, {"name": "adamw", "lr": 1e-2}, combine, max_grad_norm=0.5)
    for forget, keep in batches(asked):
        optimizer.step(forget_loss(model, forget), retain_loss(model, keep))
    torch.testing.assert_close(weights(model), trained(asked), rtol=0, atol=1e-9)


@pytest.mark.parametrize("combine", ["bilevel", "pdu", {"name": "bilevel", "momentum": "retain"}])
def test_it_goes_on_from_its_state(combine: Any) -> None:
    asked = settings(combine)
    model = support.tiny_model()
    optimizer = blur.TwoGradients(model, {"name": "adamw", "lr": 1e-2}, combine)
    for place, (forget, keep) in enumerate(batches(asked)):
        if place == 2:
            state = copy.deepcopy(optimizer.state_dict())
            model = copy.deepcopy(model)
            optimizer = blur.TwoGradients(model, {"name": "adamw", "lr": 1e-2}, combine)
            optimizer.load_state_dict(state)
        optimizer.step(forget_loss(model, forget), retain_loss(model, keep))
    assert optimizer.num_steps == STEPS
    torch.testing.assert_close(weights(model), trained(asked), rtol=0, atol=1e-9)


def test_an_optimizer_and_a_schedule_of_torch() -> None:
    asked = settings("bilevel", schedule={"name": "linear"})
    model = support.tiny_model()
    own = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    optimizer = blur.TwoGradients(model.parameters(), own)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / STEPS)
    for forget, keep in batches(asked):
        optimizer.step(forget_loss(model, forget), retain_loss(model, keep))
        schedule.step()
    torch.testing.assert_close(weights(model), trained(asked), rtol=0, atol=1e-9)


def test_what_cannot_be_is_refused() -> None:
    model = support.tiny_model()
    before = weights(model)
    optimizer = blur.TwoGradients(model)
    with pytest.raises(BlurError, match="no retain loss since the last step"):
        optimizer.step(forget_loss(model, STREAMS["forget"]))
    bad = forget_loss(model, STREAMS["forget"]) * float("nan")
    with pytest.raises(BlurError, match="the forget gradient is not finite"):
        optimizer.step(bad, retain_loss(model, STREAMS["retain"]))
    assert torch.equal(before, weights(model))
    with pytest.raises(ConfigError, match="takes the gradient of a loss of its own"):
        blur.TwoGradients(model, "sophia")
    with pytest.raises(ConfigError, match="takes losses at other weights"):
        blur.TwoGradients(model, combine={"name": "ofmu", "inner_length": 1e-2})
    own = torch.optim.AdamW(model.parameters())
    with pytest.raises(ConfigError, match="chooses the moments"):
        blur.TwoGradients(model, own, {"name": "bilevel", "momentum": "retain"})
    with pytest.raises(ValueError, match="did you mean 'bilevel'"):
        blur.TwoGradients(model, combine="bilevle")


class Pairs(Dataset[tuple[Example, Example]]):
    """The loop's texts in its order, a forget and a retain text each."""

    def __init__(self, asked: UnlearnSettings) -> None:
        self.rows = [pair for forget, keep in batches(asked) for pair in zip(forget, keep, strict=True)]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> tuple[Example, Example]:
        return self.rows[place]


def collated(pairs: list[tuple[Example, Example]]) -> dict[str, dict[str, Tensor]]:
    return {name: inputs([pair[side] for pair in pairs]) for side, name in enumerate(("forget", "keep"))}


class Forgetting(Trainer):
    """The lines of docs/tutorial.md."""

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        model.eval()
        batch = self._prepare_inputs(inputs)
        forget, keep = batch["forget"], batch["keep"]
        sums = forget.pop("reference_sums")
        keep.pop("reference_sums", None)
        forgotten = blur.losses.npo(model(**forget).logits, forget["labels"], reference_sums=sums)
        kept = blur.losses.nll(model(**keep).logits, keep["labels"])
        parts = self.args.gradient_accumulation_steps
        self.two.backward(forgotten / parts, kept / parts)
        return (forgotten + kept).detach() / parts


@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_trainer_gives_the_loop_s_weights(accumulation: int, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"forget": support.examples(8, "f", 1), "retain": support.examples(8, "r", 2)}
    # A Trainer's parts count alike, and so does the loop where all texts are of one length.
    same = {name: [Example(one.id, (one.input_ids * 4)[:8], 2) for one in found] for name, found in texts.items()}
    monkeypatch.setitem(STREAMS, "forget", same["forget"])
    monkeypatch.setitem(STREAMS, "retain", same["retain"])
    for name, value in reference_sums(support.tiny_model(), same["forget"]).items():
        monkeypatch.setitem(SUMS, name, value)
    asked = settings("bilevel", steps=4)
    model = support.tiny_model()
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        max_steps=4,
        per_device_train_batch_size=4 // accumulation,
        gradient_accumulation_steps=accumulation,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        lr_scheduler_type="constant",
    )
    two = blur.TwoGradients(model, {"name": "adamw", "lr": 1e-2})
    trainer = Forgetting(model, arguments, data_collator=collated, train_dataset=Pairs(asked), optimizers=(two, None))
    trainer.two = two
    trainer.train()
    assert two.num_steps == 4
    torch.testing.assert_close(weights(model), trained(asked), rtol=0, atol=1e-9)
