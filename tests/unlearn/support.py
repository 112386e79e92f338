"""Tiny models and examples, and the losses' values by the shortest independent way."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel

from blur.models.anatomy import Built
from blur.models.batch import collate, count
from blur.models.encode import Example
from blur.unlearn.batches import texts_of
from blur.unlearn.losses.base import LABELS, LossBase
from blur.unlearn.references import reference_for
from blur.unlearn.settings import ForgetObjective, UnlearnSettings
from blur.unlearn.step import Updater
from blur.unlearn.views import view_of

VOCAB = 40
torch.set_num_threads(1)


def tiny_model(seed: int = 0, dtype: torch.dtype = torch.float64, dropout: float = 0.0) -> GPT2LMHeadModel:
    """A two-layer GPT-2 with weights wide enough for probabilities to differ.

    Not a Llama: its norms and rotary angles are float32 whatever the model's type, so nothing there holds to 1e-12.
    """
    torch.manual_seed(seed)
    config = GPT2Config(
        n_embd=16,
        n_layer=2,
        n_head=2,
        n_positions=64,
        vocab_size=VOCAB,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=0,
        **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), dropout),
    )
    return GPT2LMHeadModel(config).to(dtype).eval()


def examples(number: int, prefix: str, seed: int = 0) -> list[Example]:
    """Random texts of 3 to 12 tokens with prompts of 0 to 2."""
    generator = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int, size: int = 1) -> list[int]:
        return torch.randint(low, high, (size,), generator=generator).tolist()

    return [Example(f"{prefix}{i}", draw(1, VOCAB, draw(3, 13)[0]), draw(0, 3)[0]) for i in range(number)]


def paired(texts: list[Example], seed: int = 7) -> list[Example]:
    """The texts with one alternate or two: the same prompt, and 1 to 9 random tokens."""
    generator = torch.Generator().manual_seed(seed)

    def other(text: Example, place: int) -> Example:
        size = int(torch.randint(1 + (text.num_prompt == 0), 10, (1,), generator=generator))
        said = torch.randint(1, VOCAB, (size,), generator=generator).tolist()
        return Example(f"{text.id}~{place}", text.input_ids[: text.num_prompt] + said, text.num_prompt)

    return [
        replace(text, alternates=tuple(other(text, n) for n in range(1 + place % 2)))
        for place, text in enumerate(texts)
    ]


def streams(forget: int = 7, retain: int = 11) -> dict[str, list[Example]]:
    return {"forget": examples(forget, "f", 1), "retain": examples(retain, "r", 2)}


def settings(forget: Any = "npo", retain: Any = "nll", combine: Any = "bilevel", **others: Any) -> UnlearnSettings:
    """Settings from short forms; None leaves a side out."""
    value = {
        "forget": [] if forget is None else [{"loss": forget}],
        "retain": [] if retain is None else [{"loss": retain}],
        "combine": combine,
        "optimizer": {"name": "adamw", "lr": 1e-2},
        "batch_size": 3,
        **others,
    }
    if "steps" not in value and "epochs" not in value:
        value["epochs"] = 2
    return UnlearnSettings.model_validate(value)


def loss(name: str, **parameters: Any) -> LossBase:
    if name in ("rmu", "rmu_adaptive", "activation_mse"):
        parameters.setdefault("layer", 0)
    if name in ("dpo", "alternate_nll"):
        parameters.setdefault("alternates", "refusals")
    return ForgetObjective.model_validate({"loss": {"name": name, **parameters}}).loss


def other_labels(text: Example) -> list[int]:
    """Labels that are not the text's own."""
    return [(7 * token + 3) % VOCAB for token in text.scored]


def value(
    term: LossBase,
    model: nn.Module,
    texts: list[Example],
    sums: dict[str, float] | None = None,
    reference: nn.Module | None = None,
    extra_padding: int = 0,
) -> Tensor:
    """Our loss of one batch, with the batch padded further than it needs."""
    texts = texts_of(texts, term.texts)
    batch = collate(texts)
    if extra_padding:
        fill = {"input_ids": 7, "attention_mask": 0, "labels": -100}
        padded = {k: nn.functional.pad(getattr(batch, k), (0, extra_padding), value=v) for k, v in fill.items()}
        batch = replace(batch, **padded)
    view = view_of(term, Built(model))
    labels = {kind: {text.id: other_labels(text) for text in texts} for kind in term.needs & LABELS}
    known = reference_for(batch, view, term.needs, sums, reference, labels=labels)
    numerator = term.numerator(view.read(model, batch), known)
    assert numerator.shape == (len(texts),)
    assert numerator.dtype == torch.float64
    return numerator.sum() / sum(count(text, term.unit) for text in texts)


def token_nlls(model: nn.Module, text: Example, labels: list[int] | None = None) -> Tensor:
    """Negative log-probabilities of the scored tokens of one unpadded text, or of others in their place, one by one."""
    logits = model(input_ids=torch.tensor([text.input_ids])).logits[0]
    first = max(text.num_prompt, 1)
    said = text.input_ids[first:] if labels is None else labels
    return torch.stack([-logits[t].log_softmax(-1)[token] for t, token in enumerate(said, first - 1)])


def flat_gradient(scalar: Tensor, model: nn.Module) -> Tensor:
    """The gradient over all parameters as one vector; the model is left without."""
    parts = torch.autograd.grad(scalar, list(model.parameters()), allow_unused=True)
    return torch.cat(
        [(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(model.parameters(), parts, strict=True)]
    )


def flat(tensors: Any) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def weights_hash(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


class Capture(Updater):
    """An updater that keeps what the optimizer is given and moves nothing.

    Attributes:
        seen: the update over all trainable parameters as one vector, zero where there is no gradient.
        reached: for each gradient that was collected, the parameters that have one.
    """

    seen: Tensor
    reached: list[list[str]]

    def update(self, *args: Any) -> Any:
        self.reached = []
        return super().update(*args)

    def _collect(self) -> Any:
        self.reached.append([name for name, p in self.model.named_parameters() if p.grad is not None])
        return super()._collect()

    def _apply(self, updates: Any, statistics: Any, lr: float) -> None:
        super()._apply(updates, statistics, 0.0)
        update = updates[-1]
        pairs = zip(update, self.parameters, strict=True)
        self.seen = flat(torch.zeros_like(p) if gradient is None else gradient for gradient, p in pairs)
