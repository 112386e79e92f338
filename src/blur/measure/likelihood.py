"""Log-probabilities of given texts: one forward pass, shared by all answers to a prompt, serves every metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from blur.measure.batching import Progress, buckets, evaluation_mode
from blur.measure.tree import Tree, can_branch, inputs_of, trees_of
from blur.measurements import LikelihoodRow
from blur.models.encode import Example
from blur.models.forward import logits_at

# Logits worked on at a time: on a CPU they stay in a core's cache (2.3 times faster at a vocabulary of 1000), elsewhere
# memory is bounded.
CACHED, CHUNK = 2**17, 2**22


@dataclass(frozen=True)
class Passage:
    """A text to score, and where it comes from (the columns of ``LikelihoodRow``)."""

    set: str
    field: str
    index: int
    text: str
    example: Example
    has_eos: bool


def score(
    model: nn.Module, passages: Sequence[Passage], max_batch_tokens: int, progress: Progress | None = None
) -> list[LikelihoodRow]:
    """Score each passage in one forward pass, which texts after the same prompt share where the model can.

    The result does not depend on order, batching or sharing (to 1e-5).

    Args:
        max_batch_tokens: tokens of a batch, padding included.

    Returns:
        One row per passage, in the given order. Log-probabilities are natural logarithms, taken in float32 (float64
        for a float64 model). ``vocab_mean`` and ``vocab_var`` are mean and variance of log p under p itself, as Min-K++
        (Zhang et al. 2024, arXiv 2404.02936, eq. 3) needs them.
    """
    examples = [passage.example for passage in passages]
    longest = max((len(example.input_ids) for example in examples), default=0)
    rows: dict[int, LikelihoodRow] = {}

    def add(trees: Sequence[Tree]) -> None:
        for batch in buckets([len(tree.tokens) for tree in trees], max_batch_tokens):
            for number, columns in _scored(model, examples, [trees[place] for place in batch]):
                rows[number] = _row(passages[number], *columns)
            if progress:
                progress(len(rows), len(passages), "likelihood")

    with evaluation_mode(model), torch.no_grad():
        trees = trees_of(examples, can_branch(model, longest))
        add(trees)
        # A masked NaN is still NaN (0 times NaN): one in a branch of a collapsed model's tree reaches the others.
        spoilt = [
            tree for tree in trees if tree.branches and any(np.isnan(rows[one].logprob).any() for one in tree.paths)
        ]
        add([Tree.of(number, examples[number]) for tree in spoilt for number in tree.paths])
    return [rows[index] for index in range(len(passages))]


def _scored(
    model: nn.Module, examples: Sequence[Example], trees: Sequence[Tree]
) -> Iterator[tuple[int, tuple[Tensor, ...]]]:
    """Yield the number of each text of the trees, and the columns of ``_statistics`` at its scored tokens."""
    inputs = inputs_of(trees, model)
    width, device = inputs["input_ids"].shape[1], inputs["input_ids"].device
    numbers, sizes, places, targets = list[int](), list[int](), list[int](), list[int]()
    for row, tree in enumerate(trees):
        for number, path in tree.paths.items():
            start = max(examples[number].num_prompt, 1)
            scored = examples[number].input_ids[start:]
            targets += scored
            places += [row * width + node for node in path[start - 1 : start - 1 + len(scored)]]
            numbers.append(number)
            sizes.append(len(scored))
    predicting, predicted = (torch.tensor(found, dtype=torch.int64, device=device) for found in (places, targets))
    chosen, which = predicting.unique(return_inverse=True)
    logits = logits_at(model, chosen, **inputs, use_cache=False)
    columns = _statistics(logits, which, predicted)
    yield from zip(numbers, zip(*(column.cpu().split(sizes) for column in columns), strict=True), strict=True)


def _statistics(logits: Tensor, which: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Per target: log p [M], whether it is the argmax [M], E_p[log p] [M], Var_p[log p] [M].

    Args:
        logits: [N, V].
        which: int64[M], the row of logits that predicts a target; a row may predict several.
        targets: int64[M].
    """
    parts = []
    size = max(1, (CACHED if logits.device.type == "cpu" else CHUNK) // logits.shape[-1])
    for block in logits.split(size):
        precise = block if block.dtype == torch.float64 else block.float()
        peak, best = precise.max(-1)
        logp = precise.log_softmax(-1)
        highest = logp.gather(1, best[:, None])[:, 0]
        p = logp.exp()
        mean = (p * logp).sum(-1)
        # Centred first: E[x^2] - E[x]^2 would cancel where the model is sure.
        var = p.mul_((logp - mean[:, None]).square_()).sum(-1)
        parts.append((peak, best, highest, mean, var))
    peak, best, highest, mean, var = (torch.cat(column)[which] for column in zip(*parts, strict=True))
    # As log_softmax has it, in which the highest is minus the logarithm of the sum over exp(logit - peak).
    return logits[which, targets] - peak + highest, best == targets, mean, var


def _row(passage: Passage, logprob: Tensor, argmax: Tensor, mean: Tensor, var: Tensor) -> LikelihoodRow:
    return LikelihoodRow(
        set=passage.set,
        id=passage.example.id,
        field=passage.field,
        index=passage.index,
        text=passage.text,
        logprob=logprob.numpy(),
        argmax=argmax.numpy(),
        vocab_mean=mean.numpy(),
        vocab_var=var.numpy(),
        has_eos=passage.has_eos,
    )
