"""An owner's model: any folder, an adapter on its base; the template and length that fit; refusals with a remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from blur.core.errors import BlurError
from blur.models import Template, build_from_config, save, train_tokenizer
from blur.owner.models import in_memory, open_model, template_for, weights_sha256
from tests.tiny import ARCHITECTURES

TEXTS = ["Who is Ann? Ann is a poet of rivers.", "Who is Bo? Bo bakes bread."]
CHAT = (
    "{% for m in messages %}<|bos|>{{ m.role }}\n{{ m.content }}<|eos|>{% endfor %}"
    "{% if add_generation_prompt %}<|bos|>assistant\n{% endif %}"
)
THINKS = CHAT.replace(
    "<|bos|>assistant\n{%", "<|bos|>assistant\n{% if enable_thinking is not defined %}<think>{% endif %}{%"
)


def make(folder: Path, family: str = "llama", dtype: str = "float32", **fields: Any) -> Path:
    """A folder of another's: no template and no manifest in it."""
    tokenizer = train_tokenizer(TEXTS, 300)
    model = build_from_config({**ARCHITECTURES[family], **fields}, tokenizer, seed=0, dtype=dtype)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def adapt(base: Path, folder: Path, name: str | None = None, alpha: int = 8) -> Any:
    """Write an adapter that does something; return its model merged."""
    model: Any = open_model(str(base), device="cpu").loaded.model
    wrapped = get_peft_model(
        model, LoraConfig(r=2, lora_alpha=alpha, target_modules="all-linear", init_lora_weights=False)
    )
    wrapped.save_pretrained(folder)
    told = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**told, "base_model_name_or_path": name or str(base)}))
    return wrapped.merge_and_unload()


@pytest.mark.parametrize(("family", "dtype"), [("llama", "float32"), ("gpt2", "float32"), ("llama", "bfloat16")])
def test_another_s_folder_is_opened(tmp_path: Path, family: str, dtype: str) -> None:
    positions = {"max_position_embeddings": 48} if family == "llama" else {"n_positions": 48}
    own = open_model(str(make(tmp_path, family, dtype, **positions)), device="cpu")
    assert (own.max_length, own.loaded.template, own.adapter) == (48, Template(), None)
    assert own.loaded.model.dtype == getattr(torch, dtype)
    assert not own.loaded.model.training
    assert f"{family}, " in own.told[0]
    assert dtype in own.told[0]


def test_a_folder_of_ours_brings_its_template(tmp_path: Path) -> None:
    own = open_model(str(make(tmp_path / "a")), device="cpu")
    template = Template(prompt="Q: {question}\nA:")
    save(own.loaded.model, own.loaded.tokenizer, template, tmp_path / "b", "card")
    assert open_model(str(tmp_path / "b"), device="cpu").loaded.template == template
    assert open_model(str(tmp_path / "b"), device="cpu").sha256 == own.sha256


@pytest.mark.parametrize("named", ["whole", "beside"])
def test_an_adapter_is_merged_into_its_base(tmp_path: Path, named: str) -> None:
    base = make(tmp_path / "base")
    merged = adapt(base, tmp_path / "adapter", None if named == "whole" else "../base")
    own = open_model(str(tmp_path / "adapter"), device="cpu")
    assert own.adapter == str(tmp_path / "adapter")
    assert own.sha256 == weights_sha256(merged) != open_model(str(base), device="cpu").sha256
    assert not hasattr(own.loaded.model, "peft_config")


def test_the_hash_is_of_the_weights_alone(tmp_path: Path) -> None:
    own = open_model(str(make(tmp_path / "a")), device="cpu")
    own.loaded.model.save_pretrained(tmp_path / "b", max_shard_size="10KB")
    own.loaded.tokenizer.save_pretrained(tmp_path / "b")
    assert (tmp_path / "b" / "model.safetensors.index.json").is_file()
    assert open_model(str(tmp_path / "b"), device="cpu").sha256 == own.sha256
    with torch.no_grad():
        next(own.loaded.model.parameters())[0, 0] += 1e-6
    assert weights_sha256(own.loaded.model) != own.sha256


@pytest.mark.parametrize(
    ("chat", "template"),
    [
        (None, Template()),
        (CHAT, Template(use_chat_template=True)),
        (THINKS, Template(use_chat_template=True, options={"enable_thinking": False})),
        ("{{ raise_exception('no') }}", Template()),
    ],
)
def test_the_template_is_that_of_the_tokenizer(chat: str | None, template: Template) -> None:
    tokenizer: Any = train_tokenizer(TEXTS, 300)
    tokenizer.chat_template = chat
    assert template_for(tokenizer) == template


def test_without_an_end_of_texts_none_ends_an_answer() -> None:
    tokenizer: Any = train_tokenizer(TEXTS, 300)
    tokenizer.eos_token = None
    assert template_for(tokenizer) == Template(add_eos=False)


def test_a_model_in_memory_is_taken(tmp_path: Path) -> None:
    loaded = open_model(str(make(tmp_path)), device="cpu").loaded
    own = in_memory(loaded.model.train(), loaded.tokenizer)
    assert own.sha256 == weights_sha256(loaded.model)
    assert not loaded.model.training
    with pytest.raises(BlurError, match=r"wrapped by peft.*merge_and_unload"):
        in_memory(get_peft_model(loaded.model, LoraConfig(r=2, target_modules="all-linear")), loaded.tokenizer)


def _nan(folder: Path, file: str = "model.safetensors") -> None:
    tensors = load_file(folder / file)
    tensors[min(tensors)].view(-1)[0] = float("nan")
    save_file(tensors, folder / file, {"format": "pt"})


def _write(name: str, content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content) and None


def _rename(old: str, new: str) -> Callable[[Path], None]:
    return lambda folder: (folder / old).rename(folder / new) and None


FOLDERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "NaN": (_nan, "holds NaN or infinity"),
    "pickled": (_rename("model.safetensors", "pytorch_model.bin"), "pickled weights are refused. Convert"),
    "no configuration": (_rename("config.json", "c.json"), "no config.json, so this is no model directory"),
    "not JSON": (_write("config.json", "{"), "no JSON"),
    "cut off": (_write("model.safetensors", "abc"), "no whole safetensors"),
    "its own code": (
        _write("config.json", '{"model_type": "mine", "auto_map": {}}'),
        "no model type 'mine'. Its own code .* is not run",
    ),
    "encoder-decoder": (_write("config.json", '{"model_type": "t5"}'), "no causal language model. Give"),
    "no tokenizer": (_rename("tokenizer.json", "t.json"), "tokenizer"),
}
ADAPTERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "NaN": (lambda folder: _nan(folder, "adapter_model.safetensors"), "holds NaN or infinity.*Train the adapter again"),
    "pickled": (_rename("adapter_model.safetensors", "adapter_model.bin"), "pickled weights are refused"),
    "no base": (_write("adapter_config.json", "{}"), "adapter_config.json: base_model_name_or_path: it names no base"),
    "not JSON": (_write("adapter_config.json", "{"), "adapter_config.json: no JSON"),
    "a base that is gone": (_write("adapter_config.json", '{"base_model_name_or_path": "./x"}'), "'./x' is not there"),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_bad_folders_are_refused(tmp_path: Path, case: str) -> None:
    spoil, message = FOLDERS[case]
    spoil(make(tmp_path))
    with pytest.raises(BlurError, match=message) as caught:
        open_model(str(tmp_path), device="cpu")
    assert caught.value.remedy


@pytest.mark.parametrize("case", ADAPTERS)
def test_bad_adapters_are_refused(tmp_path: Path, case: str) -> None:
    spoil, message = ADAPTERS[case]
    adapt(make(tmp_path / "base"), tmp_path / "adapter")
    spoil(tmp_path / "adapter")
    with pytest.raises(BlurError, match=message) as caught:
        open_model(str(tmp_path / "adapter"), device="cpu")
    assert caught.value.remedy


def test_an_adapter_of_another_base_is_refused(tmp_path: Path) -> None:
    adapt(make(tmp_path / "base"), tmp_path / "adapter", str(make(tmp_path / "wider", hidden_size=32)))
    with pytest.raises(BlurError, match=r"the adapter does not go with its base .*Give its own base"):
        open_model(str(tmp_path / "adapter"), device="cpu")


NAMES = {
    "./gone": "there is no such folder. Mend the path",
    "gone/model": "cannot be had from the Hugging Face hub or its cache.*HF_HUB_OFFLINE",
    "a.txt": "a file, and a model is a folder. Give its folder",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_nothing_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    Path("a.txt").write_text("x")
    with pytest.raises(BlurError, match=NAMES[name]):
        open_model(name, device="cpu")


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "cuda:x"])
def test_a_device_that_there_is_not_is_refused(device: str) -> None:
    with pytest.raises(BlurError, match=f"--device: there is no device '{device}'. There is: cpu"):
        open_model("anything", device=device)
