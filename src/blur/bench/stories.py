"""stories15M (a Llama of 15M parameters, trained on TinyStories) from the file of llama2.c, taught and made to forget.

The file holds seven int32 (width, inner width, layers, heads, key-value heads, vocabulary, positions), float32 weights
in the order below with rotary tables at the end, and then the tokenizer: int32 longest token and, for each token,
float32 score, int32 length, bytes. llama2.c turns neighbouring pairs of a head's dimensions, transformers its halves.
"""

from __future__ import annotations

import copy
import math
import re
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from blur.bench.budget import SkippedError, Timer
from blur.bench.throughput import METHODS
from blur.core.errors import ArtifactError
from blur.data.benchmarks.tofu.world import generate
from blur.models.encode import Example
from blur.unlearn.loop import train
from blur.unlearn.references import reference_sums
from blur.unlearn.settings import UnlearnSettings

BOS, BYTES = 1, 3  # the first token of a text; byte b is token b + 3
HEADER = struct.Struct("<7i")
LR, BATCH = 1e-3, 16
UNLEARN_LR = 2e-4


@dataclass(frozen=True)
class Tokenizer:
    """Byte-pair encoding by score, as SentencePiece's: of all neighbours the pair with the best score is merged."""

    ids: Mapping[bytes, int]
    scores: Sequence[float]

    _words: dict[str, list[int]] = field(default_factory=dict)

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text without the one that begins it. No token has a space behind a letter."""
        return [token for word in re.findall(" *[^ ]+| +", f" {text}") for token in self._of_word(word)]

    def _of_word(self, word: str) -> list[int]:
        if word not in self._words:
            self._words[word] = self._merged(word)
        return self._words[word]

    def _merged(self, word: str) -> list[int]:
        pieces: list[bytes] = []
        for letter in word:
            raw = letter.encode()
            pieces += [raw] if raw in self.ids else [bytes([byte]) for byte in raw]
        while True:
            pairs = [one + other for one, other in pairwise(pieces)]
            known = [(self.scores[self.ids[pair]], -place) for place, pair in enumerate(pairs) if pair in self.ids]
            if not known:
                return [self.ids[piece] if piece in self.ids else piece[0] + BYTES for piece in pieces]
            place = -max(known)[1]
            pieces[place : place + 2] = [pairs[place]]


def read(path: Path) -> tuple[LlamaForCausalLM, Tokenizer]:
    """Read the model, in float32, and its tokenizer.

    Raises:
        ArtifactError: the file does not end where it says.
    """
    data = path.read_bytes()
    width, inner, layers, heads, groups, vocabulary, positions = HEADER.unpack_from(data)
    size = width // heads
    place = HEADER.size

    def take(*shape: int) -> Tensor:
        nonlocal place
        count = math.prod(shape)
        if place + 4 * count > len(data):
            raise ArtifactError("the file ends within the weights", str(path), "Unpack the package again")
        found = np.frombuffer(data, "<f4", count, place).reshape(shape)
        place += 4 * count
        return torch.from_numpy(found.copy())

    def halves(matrices: Tensor, count: int) -> Tensor:
        pairs = matrices.view(layers, count, size // 2, 2, width)
        return pairs.transpose(2, 3).reshape(layers, count * size, width)

    kept = {"model.embed_tokens.weight": take(abs(vocabulary), width)}
    stacks = {"input_layernorm": take(layers, width), "self_attn.q_proj": halves(take(layers, width, width), heads)}
    stacks["self_attn.k_proj"] = halves(take(layers, groups * size, width), groups)
    stacks["self_attn.v_proj"] = take(layers, groups * size, width)
    stacks["self_attn.o_proj"] = take(layers, width, width)
    stacks["post_attention_layernorm"] = take(layers, width)
    stacks["mlp.gate_proj"] = take(layers, inner, width)
    stacks["mlp.down_proj"] = take(layers, width, inner)
    stacks["mlp.up_proj"] = take(layers, inner, width)
    for name, stack in stacks.items():
        kept |= {f"model.layers.{layer}.{name}.weight": one for layer, one in enumerate(stack)}
    kept["model.norm.weight"] = take(width)
    take(2, positions, size // 2)  # rotary tables, which transformers makes itself
    kept["lm_head.weight"] = kept["model.embed_tokens.weight"] if vocabulary > 0 else take(-vocabulary, width)
    config = LlamaConfig(
        vocab_size=abs(vocabulary),
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=groups,
        max_position_embeddings=positions,
        rms_norm_eps=1e-5,
        tie_word_embeddings=vocabulary > 0,
    )
    model = LlamaForCausalLM(config)
    model.load_state_dict(kept)
    return model.eval(), _tokenizer(data, place, abs(vocabulary), path)


def _tokenizer(data: bytes, place: int, size: int, path: Path) -> Tokenizer:
    place += 4  # the longest token
    ids, scores = dict[bytes, int](), list[float]()
    try:
        for number in range(size):
            score, length = struct.unpack_from("<fi", data, place)
            place += 8 + length
            ids[data[place - length : place]] = number  # of two that are alike, a byte's and a letter's, the letter's
            scores.append(score)
    except struct.error:
        place = -1
    if place != len(data):
        raise ArtifactError("the tokenizer does not end where the file does", str(path), "Unpack the package again")
    return Tokenizer(ids, scores)


def teach_and_forget(
    model: Any, tokenizer: Tokenizer, authors: int, epochs: int, timer: Timer
) -> dict[str, dict[str, Any]]:
    """Train target and retrained model, unlearn a tenth of the authors by each method; return probabilities by model.

    Raises:
        SkippedError: not even the target was trained in time.
    """
    texts = _texts(tokenizer, authors, int(model.config.max_position_embeddings))
    rows: dict[str, dict[str, Any]] = {}
    lr = {"optimizer": {"name": "adamw", "lr": LR}, "batch_size": BATCH, "epochs": epochs}
    plain = UnlearnSettings.model_validate({"retain": [{"loss": "nll"}], **lr})
    began = time.monotonic()
    target = _trained(model, {"retain": [*texts["forget"], *texts["retain"]]}, plain, timer)
    if target is None:
        raise SkippedError(f"the target was not trained in {time.monotonic() - began:.0f} s")
    rows["target"] = _measured(target, texts, began)
    began = time.monotonic()
    retrained = _trained(model, {"retain": texts["retain"]}, plain, timer)
    rows["retrained"] = _measured(retrained, texts, began) if retrained else {"skipped": "no time"}
    sums = reference_sums(target, texts["forget"])
    for method, (forget, combine) in METHODS.items():
        recipe = {"forget": [{"loss": forget}], "retain": [{"loss": "nll"}], "combine": combine, **lr}
        recipe |= {"optimizer": {"name": "adamw", "lr": UNLEARN_LR}, "epochs": max(epochs // 2, 1)}
        settings, began = UnlearnSettings.model_validate(recipe), time.monotonic()
        made = _trained(target, {name: texts[name] for name in ("forget", "retain")}, settings, timer, sums)
        rows[method] = _measured(made, texts, began) if made else {"skipped": "no time"}
    return rows


def _texts(tokenizer: Tokenizer, authors: int, longest: int) -> dict[str, list[Example]]:
    """Return questions and answers by set, those that are too long for the model left out."""
    forget = max(authors // 10, 1)
    sizes = {"num_forget": forget, "num_retain": authors - forget, "num_holdout": forget}
    sets = generate(seed=0, **sizes, questions_per_author=20, num_real_authors=20, num_world_facts=1)
    found: dict[str, list[Example]] = {}
    for name in ("forget", "retain", "holdout"):
        found[name] = []
        for record in sets[name]:
            prompt = [BOS, *tokenizer.encode(f"Question: {record['question']} Answer:")]
            answer = [*tokenizer.encode(record["answer"]), BOS]
            if len(prompt) + len(answer) <= longest:
                found[name].append(Example(record["id"], prompt + answer, len(prompt)))
    return found


class _LateError(Exception):
    """The budget is spent in the middle of a training."""


def _trained(
    start: Any,
    streams: Mapping[str, list[Example]],
    settings: UnlearnSettings,
    timer: Timer,
    sums: Mapping[str, float] | None = None,
) -> Any:
    """Return a trained copy of ``start``; None where the time was not enough."""

    def on_step(record: Mapping[str, Any], total: int) -> None:
        if timer.left < 0:
            raise _LateError

    try:
        return train(copy.deepcopy(start), streams, settings, reference_sums=sums, on_step=on_step).model
    except _LateError:
        return None


def _measured(model: Any, texts: Mapping[str, list[Example]], began: float) -> dict[str, Any]:
    """Return the mean probability of a token (the geometric mean over an answer's) by set, and seconds since."""
    seconds, found = time.monotonic() - began, dict[str, Any]()
    for name, examples in texts.items():
        sums = reference_sums(model, examples)
        length = {one.id: len(one.input_ids) - one.num_prompt for one in examples}
        found[name] = float(np.mean([math.exp(-total / length[one]) for one, total in sums.items()]))
    return {**found, "seconds": seconds}
