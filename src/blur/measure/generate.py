"""Answers in batches of prompts of like length, with a key-value cache that starts with what they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from blur.measure.batching import Progress, buckets, evaluation_mode
from blur.measure.sampling import GREEDY, Draws, Sampling
from blur.models.forward import logits_at, takes_positions

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.cache_utils import DynamicCache

CROWDED = 0.8  # where less of a batch is still to be decoded, the others leave it: the cache is copied without them


@dataclass(frozen=True)
class Generation:
    """New tokens after a prompt, without the one that ends an answer; ``finished`` says whether that came."""

    tokens: list[int]
    finished: bool


def generate(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    max_cache_tokens: int,
    eos_token_id: int | Sequence[int | None] | None,
    progress: Progress | None = None,
    sampling: Sampling = GREEDY,
) -> list[Generation]:
    """Continue each prompt until a token that ends it; with the likeliest token equal to one prompt at a time.

    Prompts are padded on the left; the mask hides the padding and fixes the positions. What the prompts of a batch
    have in common at their beginning (few-shot examples) goes through the model once, with the padding after it. The
    model's own generation settings (sampling, penalties) are set aside, but for further tokens that it stops at.

    Args:
        prompts: token ids, none empty.
        max_cache_tokens: tokens of a batch, padding and the new ones included.
        eos_token_id: the token, or tokens, that end an answer.
        sampling: how a token is chosen; what is drawn for a prompt does not depend on the others.

    Returns:
        One generation per prompt, in the given order.
    """
    stops = _stop_tokens(model, eos_token_id)
    found: dict[int, Generation] = {}
    with evaluation_mode(model), torch.no_grad():
        for batch in buckets([len(prompt) + max_new_tokens for prompt in prompts], max_cache_tokens):
            new = _continue(model, [prompts[index] for index in batch], max_new_tokens, stops, sampling)
            found |= {index: _cut(tokens, stops) for index, tokens in zip(batch, new, strict=True)}
            if progress:
                progress(len(found), len(prompts), "generation")
    return [found[index] for index in range(len(prompts))]


def _continue(
    model: Any, prompts: Sequence[Sequence[int]], max_new_tokens: int, stops: list[int], sampling: Sampling
) -> list[list[int]]:
    """Return the new tokens of each prompt of a batch; what follows a stop token means nothing."""
    from blur.measure.cache import prepared_cache

    device = next(model.parameters()).device
    cache, shared = prepared_cache(model, prompts, max(len(prompt) for prompt in prompts) + max_new_tokens)
    input_ids, mask = (tensor.to(device) for tensor in _padded(prompts, shared))
    draws = Draws(sampling, prompts) if sampling.temperature > 0 else None
    if cache is None:
        return _by_transformers(model, input_ids, mask, max_new_tokens, stops, draws)
    return _decode(model, input_ids, mask, cache, max_new_tokens, stops, draws)


def _decode(
    model: Any,
    input_ids: Tensor,
    mask: Tensor,
    cache: DynamicCache,
    max_new_tokens: int,
    stops: list[int],
    draws: Draws | None,
) -> list[list[int]]:
    """Decode ids [B, T], of which ``cache`` holds the first; rows that have ended leave the batch in groups."""
    new: list[list[int]] = [[] for _ in input_ids]
    rows, ended, told = list(range(len(new))), set[int](), takes_positions(model)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    fed, positions = (tensor[:, cache.get_seq_length() :] for tensor in (input_ids, positions))
    for _ in range(max_new_tokens):
        last = torch.arange(1, len(rows) + 1, device=fed.device) * fed.shape[1] - 1
        inputs = {"input_ids": fed, "attention_mask": mask, **({"position_ids": positions} if told else {})}
        logits = logits_at(model, last, **inputs, past_key_values=cache, use_cache=True)
        chosen = (draws(fed, logits) if draws else logits).argmax(-1)
        for row, token in zip(rows, chosen.tolist(), strict=True):
            new[row].append(token)
            if token in stops:
                ended.add(row)
        left = [place for place, row in enumerate(rows) if row not in ended]
        if not left:
            break
        fed, positions, mask = chosen[:, None], positions[:, -1:] + 1, torch.nn.functional.pad(mask, (0, 1), value=1)
        if len(left) < len(rows) * CROWDED:
            kept = torch.tensor(left, device=fed.device)
            fed, positions, mask = (tensor.index_select(0, kept) for tensor in (fed, positions, mask))
            cache.batch_select_indices(kept)
            rows = [rows[place] for place in left]
            if draws:
                draws.keep(left)
    return new


def _by_transformers(
    model: Any, input_ids: Tensor, mask: Tensor, max_new_tokens: int, stops: list[int], draws: Draws | None
) -> list[list[int]]:
    """Decode ids [B, T] with a cache of the model's own kind; each row stays until the last has ended."""
    from transformers import GenerationConfig, LogitsProcessorList

    options: dict[str, Any] = {"eos_token_id": stops, "pad_token_id": stops[0]} if stops else {}
    config = GenerationConfig(max_new_tokens=max_new_tokens, do_sample=False, **options)
    own, model.generation_config = model.generation_config, config
    try:
        made = model.generate(
            input_ids,
            attention_mask=mask,
            generation_config=config,
            logits_processor=LogitsProcessorList([draws] if draws else []),
        )
    finally:
        model.generation_config = own
    return made[:, input_ids.shape[1] :].tolist()


def _padded(prompts: Sequence[Sequence[int]], shared: int) -> tuple[Tensor, Tensor]:
    """Return ids and mask [B, T]: the ``shared`` first tokens, padding, the rest of each prompt."""
    longest = max(len(prompt) for prompt in prompts)
    input_ids = torch.zeros(len(prompts), longest, dtype=torch.int64)
    mask = torch.zeros_like(input_ids)
    for row, prompt in enumerate(prompts):
        rest = slice(longest - len(prompt) + shared, longest)
        for place, tokens in ((slice(0, shared), prompt[:shared]), (rest, prompt[shared:])):
            input_ids[row, place], mask[row, place] = torch.tensor(tokens, dtype=torch.int64), 1
    return input_ids, mask


def _cut(tokens: list[int], stops: list[int]) -> Generation:
    end = next((place for place, token in enumerate(tokens) if token in stops), None)
    return Generation(tokens[:end], end is not None)


def _stop_tokens(model: PreTrainedModel, eos_token_id: int | Sequence[int | None] | None) -> list[int]:
    own = model.generation_config.eos_token_id if model.generation_config else None
    named = [token for said in (eos_token_id, own) for token in (said if isinstance(said, Sequence) else [said])]
    return list(dict.fromkeys(token for token in named if token is not None))
