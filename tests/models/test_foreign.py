"""Folders that others made: what is no whole causal LM is refused by name, with and without reading its weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from blur.core.errors import ArtifactError, BlurError, ConfigError
from blur.models import Template, build_from_config, load, load_pretrained, save
from blur.models.io import look
from tests import tiny
from tests.models.conftest import MAKERS

TEMPLATE = Template()
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
DOWN = "model.layers.1.mlp.down_proj.weight"
Fault = Callable[[Path], None]


@pytest.fixture(scope="module")
def whole(tokenizer, tmp_path_factory):
    """A llama of two layers, its embeddings apart from its head, as a folder."""
    folder = tmp_path_factory.mktemp("made") / "whole"
    save(
        build_from_config({**tiny.ARCHITECTURES["llama"], **GROWN}, tokenizer, seed=0), tokenizer, TEMPLATE, folder, "#"
    )
    return folder


GROWN = {"tie_word_embeddings": False, "max_position_embeddings": 64}


@pytest.fixture
def folder(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "m"))


def config(**changes: object) -> Fault:
    """Change fields of the configuration; None takes one out."""

    def change(folder: Path) -> None:
        fields = json.loads((folder / "config.json").read_text()) | changes
        (folder / "config.json").write_text(json.dumps({k: v for k, v in fields.items() if v is not None}))

    return change


def tensors(edit: Callable[[dict[str, torch.Tensor]], object]) -> Fault:
    """Change the weights."""

    def change(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        edit(held)
        save_file(
            {name: tensor.contiguous() for name, tensor in held.items()}, folder / "model.safetensors", {"format": "pt"}
        )

    return change


def file(name: str, content: bytes | None = None, cut: int | None = None) -> Fault:
    """Write a file, cut it off after some bytes, or take it away."""

    def change(folder: Path) -> None:
        if cut is not None:
            (folder / name).write_bytes((folder / name).read_bytes()[:cut])
        elif content is not None:
            (folder / name).write_bytes(content)
        else:
            (folder / name).unlink()

    return change


def shards(weight_map: object) -> Fault:
    """Put the first of two shards, and an index, in place of the one file."""

    def change(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / SHARDS[0])
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))

    return change


def both(*faults: Fault) -> Fault:
    return lambda folder: [fault(folder) for fault in faults]  # type: ignore[return-value]


FAULTS = {
    "a layer more": (
        config(num_hidden_layers=3),
        r"m: the weights lack model\.layers\.2\.\S+ and 8 other tensors of Ll",
    ),
    "a layer less": (
        config(num_hidden_layers=1),
        r"m: the weights hold model\.layers\.1\.\S+ and 8 other tensors, which",
    ),
    "another type": (config(model_type="qwen2", architectures=None), r"lack model\.layers\.0\.self_attn\.k_proj\.bias"),
    "another class": (
        config(model_type="mistral"),
        r"config\.json: architectures: the weights are those of LlamaForCausal",
    ),
    "a masked LM": (
        config(architectures=["BertForMaskedLM"], model_type="bert"),
        r"those of BertForMaskedLM.*'bert' is not",
    ),
    "a vocabulary less": (
        config(vocab_size=100),
        r"model\.safetensors: \S+ has the shape \[330, 16\], and.*\[100, 16\]",
    ),
    "missing": (tensors(lambda held: held.pop(DOWN)), rf"m: the weights lack {DOWN} of LlamaForCausalLM\."),
    "no head": (tensors(lambda held: held.pop("lm_head.weight")), r"lack lm_head\.weight"),
    "left over": (tensors(lambda held: held.update(more=torch.ones(1))), r"hold more, which LlamaForCausalLM has not"),
    "mis-shaped": (
        tensors(lambda held: held.update({DOWN: held[DOWN].T})),
        rf"safetensors: {DOWN} has the shape \[32, 16\]",
    ),
    "quantized": (
        tensors(lambda held: held.update({DOWN: held[DOWN].to(torch.int8)})),
        rf"safetensors: {DOWN} is of type I8",
    ),
    "said to be quantized": (
        config(quantization_config={"bits": 4}),
        r"config\.json: quantization_config: the weights are q",
    ),
    "missing shard": (shards(dict.fromkeys("ab", SHARDS[1])), rf"index\.json: the shard {SHARDS[1]} is missing"),
    "no index": (shards([1]), r"index\.json: no index of shards"),
    "truncated": (file("model.safetensors", cut=5000), r"model\.safetensors: no whole safetensors file"),
    "cut in its header": (file("model.safetensors", cut=50), r"model\.safetensors: no whole safetensors file"),
    "empty": (file("model.safetensors", b""), r"model\.safetensors: no whole safetensors file"),
    "garbage": (file("model.safetensors", b"\xff" * 99), r"model\.safetensors: no whole safetensors file"),
    "a page": (file("model.safetensors", b"<html>"), r"model\.safetensors: no whole safetensors file"),
    "no weights": (file("model.safetensors"), r"m: no weights"),
    "no configuration": (file("config.json"), r"m: no config\.json"),
    "garbage for a configuration": (file("config.json", b"\xff{"), r"config\.json: no JSON"),
    "a list": (file("config.json", b"[]"), r"config\.json: it names no `model_type`"),
    "an unknown type": (config(model_type="lama"), r"config\.json: model_type: .*no model type 'lama'.*'llama'"),
    "its own code": (
        config(model_type="my", auto_map={"AutoConfig": "c.C"}),
        r"no model type 'my'.*`auto_map`.*is not run",
    ),
    "encoder-decoder": (config(model_type="t5"), r"model_type: 't5' is no causal language model"),
    "with a causal half": (config(model_type="bart", is_encoder_decoder=True), r"'bart' is an encoder-decoder"),
    "heads that do not divide": (config(num_attention_heads=3), r"config\.json: its fields make no llama"),
    "words for numbers": (config(hidden_size="wide"), r"config\.json: its fields make no llama"),
    "an adapter": (file("adapter_config.json", b"{}"), r"m: an adapter, not a model\. Merge it"),
    "an adapter alone": (both(file("config.json"), file("adapter_config.json", b"{}")), r"an adapter, not a model"),
    "short of positions": (config(max_position_embeddings=31), r"`max_length` 32 exceeds the 31 positions.*to 31"),
    "no tokenizer": (both(file("tokenizer.json"), file("tokenizer_config.json")), r"m: no tokenizer"),
    "half a tokenizer": (file("tokenizer.json", cut=500), r"m: no tokenizer can be read"),
    "no tokenizer at all": (file("tokenizer.json", b"{}"), r"m: no tokenizer can be read"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_no_whole_model_is_refused_in_one_line_with_and_without_its_weights(name, folder):
    fault, message = FAULTS[name]
    fault(folder)
    with pytest.raises(BlurError, match=message) as loaded:
        load_pretrained(str(folder), template=TEMPLATE, max_length=32)
    with pytest.raises(BlurError) as looked:
        look(str(folder), TEMPLATE, 32)
    assert str(looked.value) == str(loaded.value)
    assert "\n" not in str(loaded.value)
    assert loaded.value.remedy


def test_a_family_that_fails_to_build_with_a_layer_more_is_refused_too(tokenizer, tmp_path):
    save(build_from_config(tiny.ARCHITECTURES["gemma2"], tokenizer, seed=0), tokenizer, TEMPLATE, tmp_path, "#")
    config(num_hidden_layers=3)(tmp_path)
    for read in (lambda: look(str(tmp_path), TEMPLATE, 32), lambda: load_pretrained(str(tmp_path), template=TEMPLATE)):
        with pytest.raises(BlurError, match=r"cannot be loaded|make no gemma2"):
            read()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_none_are_refused_by_name(value, folder):
    tensors(lambda held: held[DOWN].view(-1)[3].fill_(value))(folder)
    with pytest.raises(ArtifactError, match=rf"m: {DOWN} holds NaN or infinity \(1 of 512 numbers\)"):
        load_pretrained(str(folder), template=TEMPLATE)


def test_a_model_of_nan_is_not_written(llama, tokenizer, tmp_path):
    with torch.no_grad():
        llama.model.norm.weight[0] = torch.nan
    with pytest.raises(ArtifactError, match=r"model\.norm\.weight holds NaN.*learning rate"):
        save(llama, tokenizer, TEMPLATE, tmp_path / "m", "#")
    assert not (tmp_path / "m").exists()


def test_the_loader_of_results_refuses_the_same(folder):
    tensors(lambda held: held.pop(DOWN))(folder)
    with pytest.raises(ArtifactError, match=rf"lack {DOWN}"):
        load(folder)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
@pytest.mark.parametrize("form", ["one", "shards", "bare"])
def test_whole_models_of_any_form_are_taken(family, form, tokenizer, tmp_path):
    """Tied heads that no file holds, shards, and files of the model below its head (OpenAI's GPT-2) lack nothing."""
    model = build_from_config(tiny.ARCHITECTURES[family], tokenizer, seed=0)
    saved = model.base_model if form == "bare" else model
    saved.save_pretrained(tmp_path, max_shard_size="20KB" if form == "shards" else "1GB")
    tokenizer.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors.index.json").is_file() == (form == "shards")
    assert len(look(str(tmp_path), TEMPLATE, 32)) == len(tokenizer)
    loaded = dict(load_pretrained(str(tmp_path), template=TEMPLATE).model.named_parameters())
    assert all(torch.equal(loaded[name], value) for name, value in model.named_parameters())


EXPERT = "model.layers.0.block_sparse_moe.experts.1.{}.weight"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda held: None, None),
        (lambda held: held.pop(EXPERT.format("w1")), r"do not make up model\.layers\.0\.mlp\.experts\.gate_up_proj"),
        (lambda held: held.update({EXPERT.format("w2"): torch.ones(3, 5)}), r"do not make up \S+down_proj"),
        (
            lambda held: [held.pop(EXPERT.format(part)) for part in ("w1", "w2", "w3")],
            r"experts\.\S+ has the shape \[3, ",
        ),
    ],
)
def test_experts_that_are_joined_on_loading_are_all_asked_for(edit, message, tokenizer, tmp_path):
    fields = {"num_local_experts": 4, "vocab_size": len(tokenizer), "num_hidden_layers": 1, **tiny.GROUPED}
    made = AutoModelForCausalLM.from_config(AutoConfig.for_model("mixtral", hidden_size=16, **fields))
    made.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    tensors(edit)(tmp_path)
    if message is None:
        look(str(tmp_path), TEMPLATE, 32)
        return
    for read in (lambda: look(str(tmp_path), TEMPLATE, 32), lambda: load_pretrained(str(tmp_path), template=TEMPLATE)):
        with pytest.raises(ArtifactError, match=message):
            read()


def test_a_tokenizer_of_more_tokens_than_embeddings_is_refused(folder):
    other = MAKERS["byte_level"]()
    other.add_tokens(["<image>"])
    other.save_pretrained(folder)
    load_pretrained(str(folder), template=TEMPLATE)  # nobody writes it (as Gemma 3's)
    other.eos_token = "<image>"
    other.save_pretrained(folder)
    for read in (lambda: look(str(folder), TEMPLATE, 32), lambda: load_pretrained(str(folder), template=TEMPLATE)):
        with pytest.raises(
            ArtifactError, match=r"m: .*token '<image>' has the id 330, and the model has 330 embeddings"
        ):
            read()


def test_another_models_tokenizer_is_refused_by_its_first_token_beyond(folder):
    changed = both(config(vocab_size=300), tensors(cut_vocabulary))
    changed(folder)
    with pytest.raises(ArtifactError, match="has the id 300, and the model has 300 embeddings"):
        look(str(folder), TEMPLATE, 32)


def cut_vocabulary(held):
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        held[name] = held[name][:300]


def test_positions_are_no_limit_where_a_model_has_none(tokenizer, tmp_path):
    fields = {"vocab_size": len(tokenizer), "hidden_size": 16, "num_hidden_layers": 1, "state_size": 4}
    AutoModelForCausalLM.from_config(AutoConfig.for_model("mamba", **fields)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    look(str(tmp_path), TEMPLATE, 10**6)


def test_an_unknown_type_is_one_error_for_folders_and_for_architectures(tokenizer):
    with pytest.raises(ConfigError, match=r"architecture\.model_type: transformers knows no model type 'lama'"):
        build_from_config({"model_type": "lama"}, tokenizer, seed=0)
