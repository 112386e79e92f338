"""A model as its list of parameters, from a configuration alone: no weights, no network, and for Llamas no torch.

Names and shapes of Llama, Mistral and Qwen2 follow the modules of ``transformers`` (a test compares them with models
built on the meta device). Any other causal LM is built on the meta device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

from blur.config.load import suggest
from blur.core.errors import ConfigError
from blur.models.origin import config_fields, require_model_type, unfit_fields
from blur.models.settings import ModelSettings
from blur.planner.catalogue import Catalogue

LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
COUNTED = ("llama", "mistral", "qwen2")  # whose decoder block the activation formula was counted on
NEEDED = ("hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "vocab_size")
ELEMENT_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Architecture:
    """Sizes of a decoder-only model; the ``meta`` fields where it was built on the meta device.

    Attributes:
        ffn: inputs of the MLP's down-projection; of a mixture, those of all experts that a token goes through.
        active: share of a mixture's experts that a token goes through.
        meta_maps: name and (experts or 1, out, in) of each linear map that an adapter can be put on.
        meta_down: names of the down-projections, by decoder layer.
        meta_blocks: what the names of a decoder layer's parameters begin with.
    """

    model_type: str
    hidden: int
    ffn: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied: bool
    qkv_bias: bool = False
    o_bias: bool = False
    mlp_bias: bool = False
    active: float = 1.0
    meta_shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    meta_maps: tuple[tuple[str, tuple[int, int, int]], ...] = ()
    meta_down: tuple[tuple[str, ...], ...] = ()
    meta_blocks: tuple[str, ...] = ()

    @property
    def attention(self) -> int:
        """Width of the queries of all heads."""
        return self.heads * self.head_dim

    @property
    def kv(self) -> int:
        """Width of the keys (or values) of all heads."""
        return self.kv_heads * self.head_dim

    @property
    def is_counted(self) -> bool:
        """Whether the activation formula was counted on this type of block, or is an approximation for it."""
        return self.model_type in COUNTED

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each parameter by its full name; a tied output head is not listed twice."""
        if self.meta_shapes:
            return dict(self.meta_shapes)
        blocks = {
            f"model.layers.{layer}.{name}": shape
            for layer in range(self.layers)
            for name, shape in self._block().items()
        }
        head = {} if self.tied else {"lm_head.weight": (self.vocab, self.hidden)}
        embedding = {"model.embed_tokens.weight": (self.vocab, self.hidden)}
        return {**embedding, **blocks, "model.norm.weight": (self.hidden,), **head}

    @cached_property
    def num_parameters(self) -> int:
        """Number of parameters, tied ones once."""
        return sum(map(prod, self.shapes.values()))

    @cached_property
    def maps(self) -> dict[str, tuple[int, int, int]]:
        """The linear maps that an adapter can be put on: (experts or 1, out, in) by the parameter's name."""
        if self.meta_maps:
            return dict(self.meta_maps)
        return {
            name: (1, *self.linear(kind))
            for name in self.shapes
            for kind in LINEARS
            if name.endswith(f".{kind}.weight")
        }

    def block(self, layer: int) -> str:
        """Return what the names of a decoder layer's parameters begin with."""
        return self.meta_blocks[layer] if self.meta_blocks else f"model.layers.{layer}."

    def down_projections(self, layer: int) -> tuple[str, ...]:
        """Return the names of a decoder layer's down-projections."""
        return self.meta_down[layer] if self.meta_down else (f"model.layers.{layer}.mlp.down_proj.weight",)

    def matrix(self, shape: tuple[int, ...]) -> float:
        """Return the elements that a token goes through: of a matrix all, of experts its own; of a vector none."""
        return 0 if len(shape) < 2 else prod(shape) * (self.active if len(shape) > 2 else 1)

    def linear(self, name: str) -> tuple[int, int]:
        """Return (out, in) of one of the seven linear layers of a block."""
        d, f, a, k = self.hidden, self.ffn, self.attention, self.kv
        sizes = ((a, d), (k, d), (k, d), (d, a), (f, d), (f, d), (d, f))
        return dict(zip(LINEARS, sizes, strict=True))[name]

    def _block(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        biases = (*[self.qkv_bias] * 3, self.o_bias, *[self.mlp_bias] * 3)
        for name, bias in zip(LINEARS, biases, strict=True):
            part = "self_attn" if name in LINEARS[:4] else "mlp"
            found[f"{part}.{name}.weight"] = self.linear(name)
            if bias:
                found[f"{part}.{name}.bias"] = self.linear(name)[:1]
        return {**found, "input_layernorm.weight": (self.hidden,), "post_attention_layernorm.weight": (self.hidden,)}


def architecture_of(model: ModelSettings, catalogue: Catalogue) -> Architecture:
    """Return the architecture of a model's settings.

    A named model is looked up in ``config/planner.yaml``, else in its folder or the hub's cache.

    Raises:
        ConfigError: nobody knows the name here.
    """
    if model.architecture is not None:
        assert model.tokenizer is not None
        return from_fields({**model.architecture, "vocab_size": model.tokenizer.vocab_size}, "model.architecture")
    name = str(model.name_or_path)
    known = catalogue.architectures.get(name)
    if known is not None:
        return from_fields(known.fields)
    if Path(name).is_dir():
        return from_fields(config_fields(Path(name)), f"{name}/config.json")
    return from_fields(_cached_fields(name, catalogue), f"model {name!r}")


def from_fields(fields: Mapping[str, Any], where: str | None = None) -> Architecture:
    """Read the fields of a transformers configuration; types that are not Llama-like are built on the meta device.

    Raises:
        ConfigError: transformers knows no such causal LM, or it cannot be built; names ``where`` the fields stand.
    """
    if fields["model_type"] not in COUNTED or not _is_plain(fields):
        return _from_meta(fields, where)
    hidden, heads = fields["hidden_size"], fields["num_attention_heads"]
    qwen, bias = fields["model_type"] == "qwen2", bool(fields.get("attention_bias"))
    return Architecture(
        model_type=fields["model_type"],
        hidden=hidden,
        ffn=fields["intermediate_size"],
        layers=fields["num_hidden_layers"],
        heads=heads,
        kv_heads=fields.get("num_key_value_heads") or heads,
        head_dim=fields.get("head_dim") or hidden // heads,
        vocab=fields["vocab_size"],
        tied=bool(fields.get("tie_word_embeddings", False)),
        qkv_bias=qwen or bias,
        o_bias=bias and not qwen,
        mlp_bias=bool(fields.get("mlp_bias")),
    )


def _is_plain(fields: Mapping[str, Any]) -> bool:
    """Whether sizes can be read off as they are; transformers fills what is left out, or says what is wrong."""
    if not all(isinstance(fields.get(name), int) for name in NEEDED):
        return False
    heads = fields["num_attention_heads"]
    return heads > 0 and (bool(fields.get("head_dim")) or fields["hidden_size"] % heads == 0)


def _from_meta(fields: Mapping[str, Any], where: str | None) -> Architecture:
    """Count a model by building it. One without attention (Mamba, RWKV) has no heads: its states are not counted."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from blur.models.anatomy import Built
    from blur.models.maps import down_projections

    require_model_type(fields["model_type"], f"{where}: model_type" if where else "model_type")
    # A class's own padding id may lie beyond a smaller vocabulary, and decides no shape.
    own = {**{key: value for key, value in fields.items() if key != "model_type"}, "pad_token_id": None}
    try:
        config: Any = AutoConfig.for_model(fields["model_type"], **own).get_text_config()
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except Exception as error:  # each type of model checks its fields in its own way
        raise unfit_fields(fields["model_type"], error, where or "model") from error
    down = [down_projections(model, number) for number in range(config.num_hidden_layers)]
    anatomy = Built(model)
    experts = max((stack for stack, _, _ in anatomy.maps.values()), default=1)
    chosen = getattr(config, "num_experts_per_tok", 1) if experts > 1 else 1
    heads = getattr(config, "num_attention_heads", None) or 0
    return Architecture(
        model_type=fields["model_type"],
        hidden=config.hidden_size,
        ffn=sum(one.stack.shape[2] * (chosen if one.is_fused else 1) for one in down[-1]),
        layers=config.num_hidden_layers,
        heads=heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or heads,
        head_dim=getattr(config, "head_dim", None) or (config.hidden_size // heads if heads else 0),
        vocab=config.vocab_size,
        tied=bool(getattr(config, "tie_word_embeddings", False)),
        active=chosen / experts,
        meta_maps=tuple(anatomy.maps.items()),
        meta_down=tuple(tuple(one.name for one in of_layer) for of_layer in down),
        meta_blocks=tuple(anatomy.block(number) for number in range(config.num_hidden_layers)),
        meta_shapes=tuple(anatomy.shapes.items()),
    )


def _cached_fields(name: str, catalogue: Catalogue) -> dict[str, Any]:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(name, local_files_only=True, trust_remote_code=False).to_dict()
    except (OSError, ValueError):  # not there, or a folder without a configuration
        remedy = f"Add its shape to {catalogue.path}. {suggest(name, catalogue.architectures)}"
        raise ConfigError("the architecture is not known here", f"model {name!r}", remedy) from None
