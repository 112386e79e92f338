"""Models of a million parameters under the real names: the same families, files and tokenizers' forms.

Depths are such that the layers which RMU names (7 of 32, or 7 of 16) are there. The large ones come in shards, with
the index that transformers writes. MUSE's models have no tokenizer, as published.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.hub.published import tokenizers
from tests.hub.repository import write

_SMALL = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 8,
    "num_attention_heads": 4,
    "max_position_embeddings": 4096,
}
LLAMA_2 = {"model_type": "llama", **_SMALL, "num_key_value_heads": 4, "tie_word_embeddings": False}
LLAMA_3 = {"model_type": "llama", **_SMALL, "num_key_value_heads": 2, "tie_word_embeddings": True}
MISTRAL = {"model_type": "mistral", **_SMALL, "num_key_value_heads": 2, "tie_word_embeddings": False}
SHARD = "1MB"
CARD = b"---\nlicense: other\n---\n"

# name: shape, tokenizer, shards, licence to be accepted
PUBLISHED: Mapping[str, tuple[dict[str, Any], str, bool, bool]] = {
    "meta-llama/Llama-2-7b-hf": (LLAMA_2, "llama_2", True, True),
    "meta-llama/Llama-2-7b-chat-hf": (LLAMA_2, "llama_2_chat", True, True),
    "meta-llama/Llama-3.2-1B-Instruct": (LLAMA_3, "llama_3", False, True),
    "open-unlearning/tofu_Llama-3.2-1B-Instruct_full": (LLAMA_3, "llama_3", False, False),
    "open-unlearning/tofu_Llama-3.2-1B-Instruct_retain90": (LLAMA_3, "llama_3", False, False),
    "open-unlearning/tofu_Llama-2-7b-chat-hf_full": (LLAMA_2, "llama_2_chat", True, False),
    "open-unlearning/tofu_Llama-2-7b-chat-hf_retain90": (LLAMA_2, "llama_2_chat", True, False),
    "muse-bench/MUSE-News_target": (LLAMA_2, "", True, False),
    "muse-bench/MUSE-News_retrain": (LLAMA_2, "", True, False),
    "muse-bench/MUSE-Books_target": (LLAMA_2, "", True, False),
    "muse-bench/MUSE-Books_retrain": (LLAMA_2, "", True, False),
    "HuggingFaceH4/zephyr-7b-beta": (MISTRAL, "zephyr", True, False),
}


def build(root: Path, names: tuple[str, ...] = tuple(PUBLISHED)) -> None:
    """Write the repositories of these models."""
    words = cache(lambda name: getattr(tokenizers, name)())
    for seed, name in enumerate(PUBLISHED):
        if name in names:
            shape, tokenizer, sharded, gated = PUBLISHED[name]
            weights = _weights(shape, words(tokenizer or "llama_2"), sharded, seed)
            own = _saved(words(tokenizer)) if tokenizer else {}
            write(root, "models", name, {"README.md": CARD, **weights, **own}).behave(gated=gated)


def _weights(shape: Mapping[str, Any], tokenizer: Any, sharded: bool, seed: int) -> dict[str, bytes]:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    fields = {key: value for key, value in shape.items() if key != "model_type"}
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id")}
    config = AutoConfig.for_model(shape["model_type"], **fields, **ids, vocab_size=len(tokenizer))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    return _saved(model, max_shard_size=SHARD if sharded else "1GB")


def _saved(what: Any, **options: Any) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        what.save_pretrained(folder, **options)
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
