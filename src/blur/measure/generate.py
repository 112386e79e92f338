"""Answers in batches of prompts of like length, with a key-value cache that starts with what they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from blur.measure.batching import Progress, buckets, evaluation_mode
from blur.measure.sampling import GREEDY, Draws, Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Generation:
    """New tokens after a prompt, without the end-of-sequence token; ``finished`` says whether that came."""

    tokens: list[int]
    finished: bool


def generate(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    max_cache_tokens: int,
    eos_token_id: int | None,
    progress: Progress | None = None,
    sampling: Sampling = GREEDY,
) -> list[Generation]:
    """Continue each prompt until an end-of-sequence token; with the likeliest token equal to one prompt at a time.

    Prompts are padded on the left; the mask hides the padding and fixes the positions. What the prompts of a batch
    have in common at their beginning (few-shot examples) goes through the model once, with the padding after it. The
    model's own generation settings (sampling, penalties) are set aside, but for further end-of-sequence tokens that it
    names.

    Args:
        prompts: token ids, none empty.
        max_cache_tokens: tokens of a batch, padding and the new ones included.
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


def max_positions(model: PreTrainedModel) -> int | None:
    """Return how many tokens the model has positions for; None where its configuration sets no limit."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


def _continue(
    model: Any, prompts: Sequence[Sequence[int]], max_new_tokens: int, stops: list[int], sampling: Sampling
) -> list[list[int]]:
    from transformers import GenerationConfig, LogitsProcessorList

    from blur.measure.cache import prepared_cache

    device = next(model.parameters()).device
    cache, shared = prepared_cache(model, prompts, max(len(prompt) for prompt in prompts) + max_new_tokens)
    input_ids, mask = (tensor.to(device) for tensor in _padded(prompts, shared))
    options: dict[str, Any] = {"eos_token_id": stops, "pad_token_id": stops[0]} if stops else {}
    config = GenerationConfig(max_new_tokens=max_new_tokens, do_sample=False, **options)
    drawn = [Draws(sampling, prompts)] if sampling.temperature > 0 else []
    own, model.generation_config = model.generation_config, config
    try:
        made = model.generate(
            input_ids,
            attention_mask=mask,
            generation_config=config,
            past_key_values=cache,
            logits_processor=LogitsProcessorList(drawn),
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


def _stop_tokens(model: PreTrainedModel, eos_token_id: int | None) -> list[int]:
    own = model.generation_config.eos_token_id if model.generation_config else None
    named = [eos_token_id, *(own if isinstance(own, list) else [own])]
    return list(dict.fromkeys(token for token in named if token is not None))
