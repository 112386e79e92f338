"""Parameter lists against the models of transformers, built on the meta device."""

from math import prod
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from blur.core.errors import ArtifactError, ConfigError
from blur.models.settings import ModelSettings
from blur.planner.architecture import architecture_of, from_fields
from blur.planner.catalogue import load_catalogue
from blur.planner.cost import block_weights
from blur.planner.memory import evaluation_memory, plan_memory
from blur.planner.trainable import Trained
from blur.unlearn.settings import UnlearnSettings
from tests.architectures import ALL, build, fields
from tests.planner.support import TOKENS, job, trained

CATALOGUE = load_catalogue("config")
SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 64,
}


def on_meta(fields: dict) -> dict[str, tuple[int, ...]]:
    config = AutoConfig.for_model(fields["model_type"], **{k: v for k, v in fields.items() if k != "model_type"})
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("name", ["meta-llama/Llama-2-7b-hf", "HuggingFaceH4/zephyr-7b-beta"])
def test_named_models_have_the_parameters_of_transformers(name: str) -> None:
    fields = CATALOGUE.architectures[name].fields
    assert from_fields(fields).shapes == on_meta(fields)


def test_sizes_of_named_models_are_those_in_their_cards() -> None:
    counts = {
        "meta-llama/Llama-2-7b-hf": 6_738_415_616,
        "HuggingFaceH4/zephyr-7b-beta": 7_241_732_096,
        "meta-llama/Llama-3.2-1B-Instruct": 1_235_814_400,
        "HuggingFaceTB/SmolLM2-135M-Instruct": 134_515_008,
    }
    for name, count in counts.items():
        assert from_fields(CATALOGUE.architectures[name].fields).num_parameters == count


@pytest.mark.parametrize(
    "fields",
    [
        {"model_type": "llama", "tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True},
        {"model_type": "mistral", "head_dim": 16},
        {"model_type": "qwen2"},
        {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4},
    ],
    ids=lambda fields: fields["model_type"],
)
def test_any_configuration_gives_the_parameters_of_transformers(fields: dict) -> None:
    own = fields if fields["model_type"] == "gpt2" else {**SMALL, **fields}
    architecture = from_fields(own)
    assert architecture.shapes == on_meta(own)
    assert architecture.is_counted == (fields["model_type"] != "gpt2")


def test_a_folder_is_read(tmp_path: Path) -> None:
    config = AutoConfig.for_model("llama", **SMALL)
    config.save_pretrained(tmp_path)
    model = ModelSettings(name_or_path=str(tmp_path))
    assert architecture_of(model, CATALOGUE).shapes == on_meta({"model_type": "llama", **SMALL})


def test_a_folder_without_a_configuration_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ArtifactError, match=r"no config\.json"):
        architecture_of(ModelSettings(name_or_path=str(tmp_path)), CATALOGUE)


SMALLEST = {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 64}


@pytest.mark.parametrize("model_type", ["mamba", "rwkv", "jamba"])
def test_families_without_attention_heads_are_estimated(model_type: str) -> None:
    """They stopped the whole plan. What has states in place of keys has no heads, and its weights count as they are."""
    fields = {"model_type": model_type, **(SMALL if model_type == "jamba" else SMALLEST)}
    architecture = from_fields(fields)
    assert architecture.shapes == on_meta(fields)
    assert not architecture.is_counted
    assert bool(architecture.heads) == (model_type == "jamba")
    for changes in ({}, {"wrapper": "lora"}, {"gradient_checkpointing": True}):
        under = trained(architecture=architecture, **changes)
        assert plan_memory(job(under)).peak.total > under.weights
        assert evaluation_memory(under, TOKENS, 64, 64, gradnorm=True) > 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model_type": "lama"}, r"here: model_type: transformers knows no model type 'lama'. Did you mean 'llama'"),
        ({"model_type": "t5"}, r"here: model_type: 't5' is no causal language model"),
        ({**SMALL, "model_type": "llama", "hidden_size": "wide"}, r"here: its fields make no llama"),
        (
            {**SMALL, "model_type": "llama", "num_attention_heads": 3},
            r"here: its fields make no llama .*multiple of the",
        ),
        ({**SMALLEST, "model_type": "gemma2", "layer_types": ["full_attention"]}, r"here: its fields make no gemma2"),
    ],
)
def test_what_cannot_be_built_is_refused_in_a_line(fields: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        from_fields({**fields}, "here")
    assert "\n" not in str(caught.value)


def test_a_configuration_that_leaves_defaults_out_is_filled_by_transformers(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen2", "num_hidden_layers": 1, "hidden_size": 128}')
    found = architecture_of(ModelSettings(name_or_path=str(tmp_path)), CATALOGUE)
    assert found.shapes == on_meta({"model_type": "qwen2", "num_hidden_layers": 1, "hidden_size": 128})


def test_an_unknown_model_is_an_error_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match=r"Did you mean 'meta-llama/Llama-2-7b-hf'"):
        architecture_of(ModelSettings(name_or_path="meta-llama/Llama-2-7b-hg"), CATALOGUE)


# A list of decoder layers whose heads the configuration counts: a Mamba has none.
@pytest.mark.parametrize("family", [family for family in ALL if not family.startswith("mamba")])
def test_what_moves_is_what_the_scopes_of_any_family_move(family):
    architecture = from_fields({**fields(family), "vocab_size": 40})
    for chosen in ({"wrapper": {"name": "lora", "rank": 3}}, {"scope": {"name": "down_projections", "layers": [1]}}):
        settings = UnlearnSettings.model_validate({"forget": [{"loss": "ga"}], "steps": 1, **chosen})
        model = settings.prepare(build(family))
        moving = [parameter.numel() for parameter in model.parameters() if parameter.requires_grad]
        assert sorted(map(prod, Trained(architecture, settings, 4).moving.values())) == sorted(moving)


def test_a_mixtures_token_goes_through_some_experts_only():
    architecture = from_fields({**fields("mixtral"), "vocab_size": 40})
    attention, experts = 32 * 32 * 2 + 32 * 16 * 2, 2 * 3 * 32 * 48
    assert architecture.ffn == 2 * 48
    assert block_weights(architecture) == attention + 4 * 32 + experts
