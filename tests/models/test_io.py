from __future__ import annotations

import socket
import stat

import pytest
import torch

from blur.core import manifest as manifests
from blur.core.errors import ArtifactError, ConfigError
from blur.core.hashing import sha256_file
from blur.models import Template, build_from_config, load, load_pretrained, save, train_tokenizer
from tests.models.conftest import TEXTS

TEMPLATE = Template(prompt="Q: {question}\nA:")


def write(model, tokenizer, directory):
    return save(model, tokenizer, TEMPLATE, directory, "# A card\n")


def test_round_trip_keeps_weights_ties_tokenizer_and_template(llama, tokenizer, tmp_path):
    names = write(llama, tokenizer, tmp_path / "m")
    loaded = load(tmp_path / "m")
    assert {"README.md", "config.json", "model.safetensors", "template.json", "tokenizer.json"} <= set(names)
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == names
    assert loaded.template == TEMPLATE
    assert not loaded.model.training
    assert loaded.tokenizer(TEXTS[0]).input_ids == tokenizer(TEXTS[0]).input_ids
    theirs = dict(loaded.model.named_parameters())
    for name, parameter in llama.named_parameters():
        assert torch.equal(parameter.view(torch.uint8), theirs[name].view(torch.uint8)), name
    assert loaded.model.get_input_embeddings().weight is loaded.model.get_output_embeddings().weight


def test_saving_what_was_loaded_gives_the_same_bytes(llama, tokenizer, tmp_path):
    names = write(llama, tokenizer, tmp_path / "a")
    loaded = load(tmp_path / "a")
    assert write(loaded.model, loaded.tokenizer, tmp_path / "b") == names
    for name in ("model.safetensors", "tokenizer.json", "template.json"):
        assert sha256_file(tmp_path / "a" / name) == sha256_file(tmp_path / "b" / name), name


def test_weights_can_be_read_by_whoever_can_read_the_card(llama, tokenizer, tmp_path):
    write(llama, tokenizer, tmp_path / "m")
    modes = {stat.S_IMODE((tmp_path / "m" / name).stat().st_mode) for name in ("README.md", "model.safetensors")}
    assert len(modes) == 1


def test_stale_weights_and_temporary_folders_go(llama, tokenizer, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model-00001-of-00002.safetensors").write_bytes(b"old")
    write(llama, tokenizer, tmp_path / "m")
    assert [path.name for path in (tmp_path / "m").glob("*.safetensors*")] == ["model.safetensors"]
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_one_changed_byte_fails_naming_the_file_and_the_remedy(llama, tokenizer, tmp_path):
    names = write(llama, tokenizer, tmp_path)
    manifests.write(tmp_path, "test", {}, names)
    assert load(tmp_path).manifest["stage"] == "test"
    weights = tmp_path / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"model\.safetensors: content differs.*make verify"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt"])
def test_pickled_weights_are_refused(llama, tokenizer, tmp_path, name):
    write(llama, tokenizer, tmp_path)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ArtifactError, match=f"{name}: pickled"):
        load(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=f"{name}: pickled"):
        load_pretrained(str(tmp_path), template=TEMPLATE)


def test_foreign_directory_takes_its_template_from_the_settings(llama, tokenizer, tmp_path):
    write(llama, tokenizer, tmp_path)
    (tmp_path / "template.json").unlink()
    with pytest.raises(ArtifactError, match=r"no template\.json"):
        load(tmp_path)
    loaded = load_pretrained(str(tmp_path), template=TEMPLATE, dtype="bfloat16")
    assert loaded.template == TEMPLATE
    assert loaded.model.dtype == torch.bfloat16


def test_missing_weights_say_what_to_do(llama, tokenizer, tmp_path):
    write(llama, tokenizer, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match="make verify"):
        load(tmp_path)


def test_hub_without_network_names_the_remedies(monkeypatch):
    import huggingface_hub.constants

    def refuse(*_: object) -> None:
        raise AssertionError("no network in this test")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(ConfigError, match=r"local directory.*login node.*HF_HUB_OFFLINE"):
        load_pretrained("nobody/nothing", template=TEMPLATE)


SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
ARCHITECTURES = [
    {"model_type": "gpt2", "n_embd": 16, "n_layer": 1, "n_head": 2},
    {"model_type": "gpt_neox", **SIZES},
    {"model_type": "qwen2", **SIZES, "num_key_value_heads": 2},
]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a["model_type"])
def test_any_causal_lm_is_built_saved_and_loaded(architecture, tokenizer, tmp_path):
    model = build_from_config(architecture, tokenizer, seed=1)
    assert model.config.vocab_size == len(tokenizer)
    write(model, tokenizer, tmp_path)
    ids = torch.tensor([tokenizer(TEXTS[0]).input_ids])
    with torch.no_grad():
        assert torch.equal(load(tmp_path).model(ids).logits, model.eval()(ids).logits)


def test_seed_decides_the_weights_and_the_callers_random_state_stays(tokenizer):
    before = torch.get_rng_state()
    one, same, other = (build_from_config(ARCHITECTURES[0], tokenizer, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    pairs = list(zip(one.parameters(), same.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(not torch.equal(a, c) for a, _, c in pairs)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({"model_type": "lama"}, "no model type 'lama'"),
        ({"model_type": "llama", "hiden_size": 8}, "Did you mean 'hidden_size'"),
        ({"model_type": "t5"}, "'t5' is no causal language model"),
        ({"model_type": "bart", "is_encoder_decoder": True}, "'bart' is an encoder-decoder"),
    ],
)
def test_wrong_architecture_is_refused(architecture, message, tokenizer):
    with pytest.raises(ConfigError, match=message):
        build_from_config(architecture, tokenizer, seed=0)


def test_tokenizer_is_deterministic_lossless_and_has_its_own_pad():
    one, two = (train_tokenizer(TEXTS, 330) for _ in range(2))
    assert one.backend_tokenizer.to_str() == two.backend_tokenizer.to_str()
    assert len(one) <= 330
    assert len({one.bos_token_id, one.eos_token_id, one.pad_token_id}) == 3
    for text in ("Ünïcode 😀 never seen , spaced .", " leading\n\nlines\t"):
        ids = one(text).input_ids
        assert ids[0] == one.bos_token_id
        assert one.decode(ids[1:]) == text
