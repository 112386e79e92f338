"""A model with random weights from a transformers configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from blur.core.errors import ConfigError, did_you_mean
from blur.models.origin import require_causal, require_model_type, unfit_fields

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

WHERE = "model.architecture"
UNDECLARED = {"head_dim"}  # read by models whose configuration class does not have it, such as Qwen3-MoE


def build_from_config(
    architecture: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, seed: int, dtype: str = "float32"
) -> PreTrainedModel:
    """Build a causal LM of any ``model_type`` that transformers knows; equal arguments give equal weights.

    Args:
        architecture: ``model_type`` and fields of its configuration; vocabulary and special ids follow the tokenizer.
        seed: of the initial weights; the caller's random state is left as it was.

    Raises:
        ConfigError: an unknown model type or field, or a type that is no causal LM.
    """
    import torch
    from transformers import AutoModelForCausalLM

    config = _config(architecture, tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
        except ValueError as error:
            raise ConfigError(f"cannot be built: {error}", WHERE) from error


def _config(architecture: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> PretrainedConfig:
    from transformers import AutoConfig

    fields = {key: value for key, value in architecture.items() if key != "model_type"}
    model_type = architecture["model_type"]
    require_model_type(model_type, f"{WHERE}.model_type")
    known = AutoConfig.for_model(model_type)
    for key in fields:
        # A configuration class takes any keyword and ignores those it does not know.
        if not hasattr(known, key) and key not in UNDECLARED:
            remedy = did_you_mean(key, [*known.to_dict(), *known.attribute_map])
            raise ConfigError(f"{model_type} has no field {key!r}", WHERE, remedy)
    special = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    try:
        made = AutoConfig.for_model(model_type, **fields, vocab_size=len(tokenizer), **special)
    except Exception as error:  # each type of model checks its fields in its own way
        raise unfit_fields(model_type, error, WHERE) from error
    require_causal(made, WHERE)
    return made
