"""What a task names on this machine is read before any job: models without their numbers, tokenizers, texts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from blur.config.plan import Plan
from blur.core.errors import BlurError
from blur.planner.inputs import read_inputs
from tests.config import test_own as own

ROOT = Path(__file__).resolve().parents[2]
Edit = Callable[[Path], object]
# A person's own task, written by hand.
FILES = {
    "scales/mine.yaml": """\
title: mine
all: [mine]
tasks: {mine: {}}
device: cpu
unlearn:
  epochs: 5
  batch_size: 8
  optimizer: {name: adamw, lr: 1.0e-5}
  master_weights: true
runs:
  - {methods: [graddiff, npo_gdr, blur_npo], seeds: [0]}
""",
    "tasks/mine.yaml": """\
title: My texts
benchmark: questions
model: mine
data:
  source: {kind: local, path: my_texts}
target: {kind: hub, name: ./my-llama}
retrained: {kind: none}
""",
    "models/mine.yaml": """\
model:
  name_or_path: ./my-llama
  dtype: bfloat16
  max_length: 512
  template: {use_chat_template: true}
train: {epochs: 5, optimizer: {name: adamw, lr: 1.0e-5}}
""",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A checkout's files with an owner's model and texts, sound."""
    root = tmp_path_factory.mktemp("own") / "checkout"
    shutil.copytree(ROOT / "config", root / "config")
    for name, text in FILES.items():
        (root / "config" / name).write_text(text)
    (root / "my_texts").mkdir()
    (root / "my_texts/forget.csv").write_text("question;answer\nQuestion 0?;Answer 0.\nQuestion 1?;Answer 1.\n")
    turns = ([("user", f"Question {i}?"), ("assistant", f"Answer {i}.")] for i in (2, 3))
    kept = [{"messages": [{"role": role, "content": said} for role, said in pair]} for pair in turns]
    (root / "my_texts/keep.jsonl").write_text("".join(json.dumps(record) + "\n" for record in kept))
    own.write_model(root / "my-llama", own.CHAT)
    return root


@pytest.fixture
def root(made, tmp_path, monkeypatch) -> Path:
    found = Path(shutil.copytree(made, tmp_path / "checkout"))
    monkeypatch.chdir(found)
    return found


def read() -> list[str]:
    return read_inputs(Plan("config", {"scale": "mine"}), "mine")


def replaced(file: str, old: str, new: str) -> Edit:
    def edit(root: Path) -> None:
        text = (root / file).read_text()
        assert old in text
        (root / file).write_text(text.replace(old, new))

    return edit


def generating_till(*ids: int) -> Edit:
    return lambda root: (root / "my-llama/generation_config.json").write_text(json.dumps({"eos_token_id": list(ids)}))


MODEL, TASK = "config/models/mine.yaml", "config/tasks/mine.yaml"
CHAT, LENGTH = "{use_chat_template: true}", "max_length: 512"
WEIGHTS = "my-llama/model.safetensors"
FAULTS = {
    "no such token": (
        replaced(MODEL, CHAT, "{use_chat_template: true, end: '<end>'}"),
        r"mine\.yaml: model\.template\.end: .*no token '<end>'",
    ),
    "no such option": (
        replaced(MODEL, CHAT, "{use_chat_template: true, options: {think: 1}}"),
        r"mine\.yaml: model\.template\.options: .*'think'",
    ),
    "longer than positions": (
        replaced(MODEL, LENGTH, "max_length: 513"),
        r"my-llama/config\.json: max_position_embeddings: `max_length` 513 exceeds the 512",
    ),
    "no room": (replaced(MODEL, LENGTH, "max_length: 8"), r"prompt alone has \d+ tokens, which leaves no room .* in 8"),
    "no question": (replaced("my_texts/forget.csv", "question;", "ask;"), r"forget\.csv: .*not clear.*a••, a•••••"),
    "no JSON": (replaced("my_texts/keep.jsonl", "{", "{{"), r"keep\.jsonl, line 1: malformed JSON"),
    "no texts": (lambda root: (root / "my_texts/forget.csv").unlink(), r"my_texts: no file called 'forget'"),
    "no weights": (lambda root: (root / WEIGHTS).write_bytes(b""), r"model\.safetensors: no whole safetensors file"),
    "no tokenizer": (lambda root: (root / "my-llama/tokenizer.json").unlink(), r"my-llama: no tokenizer"),
    "no such map": (
        replaced("config/scales/mine.yaml", "unlearn:", "unlearn:\n  wrapper: {name: lora, targets: [q_prjo]}"),
        r"config/scales/mine\.yaml: unlearn\.wrapper\.targets: no linear map is called 'q_prjo'\. Nearest: .*q_proj",
    ),
    "no such parameter": (
        replaced("config/scales/mine.yaml", "unlearn:", "unlearn:\n  scope: {name: modules, patterns: [mlpp]}"),
        r"config/scales/mine\.yaml: unlearn\.scope\.patterns: no parameter of the model matches 'mlpp'\. nearest names",
    ),
    "no model": (
        replaced("my-llama/config.json", '"llama"', '"lama"'),
        r"config\.json: model_type: .*no model type 'lama'",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_file_is_told_before_any_job(name, root):
    edit, message = FAULTS[name]
    edit(root)
    with pytest.raises(BlurError, match=message) as told:
        read()
    assert "\n" not in str(told.value)


def test_how_an_answer_ends_is_told_and_what_else_ends_a_generation(root):
    assert read()[-1] == "mine: ./my-llama: an answer ends with '<|pad|>'; a generation stops at '<|eos|>' too"
    generating_till(2, 0)(root)
    assert read()[-1].endswith("ends with '<|pad|>'; a generation stops at '<|eos|>', '<|bos|>' too")
    replaced(MODEL, CHAT, "{add_eos: false}")(root)
    assert ": no token ends an answer; a generation stops at" in read()[-1]


def test_the_weights_themselves_are_not_read(root, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("weights were read")

    monkeypatch.setattr(torch.Tensor, "isfinite", refuse)
    size = (root / "my-llama/model.safetensors").stat().st_size
    content = (root / "my-llama/model.safetensors").read_bytes()
    (root / "my-llama/model.safetensors").write_bytes(content[:-64] + b"\xff" * 64)
    assert (root / "my-llama/model.safetensors").stat().st_size == size
    read()


def test_a_model_of_the_hub_that_is_fetched_is_left_to_its_job(root):
    replaced(TASK, "name: ./my-llama", "name: somebody/model")(root)
    assert all(line.startswith("mine: my_texts/") for line in read())


@pytest.mark.parametrize(("model_type", "what"), [("lama", "no model type 'lama'"), ("t5", "no causal language model")])
def test_an_architecture_to_be_built_is_looked_at_too(model_type, what, root):
    replaced("config/models/llama-tiny.yaml", "model_type: llama", f"model_type: {model_type}")(root)
    with pytest.raises(BlurError, match=rf"llama-tiny\.yaml: model\.architecture: model_type: .*{what}"):
        read_inputs(Plan("config", {"scale": "ci"}), "tofu")
