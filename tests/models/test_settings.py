from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from blur.models.settings import ModelSettings
from blur.models.template import Template

SCRATCH = {"architecture": {"model_type": "llama"}, "tokenizer": {"vocab_size": 300}}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "either `name_or_path` or `architecture`"),
        ({**SCRATCH, "name_or_path": "gpt2"}, "either `name_or_path` or `architecture`"),
        ({"architecture": {"model_type": "llama"}}, "go together"),
        ({"name_or_path": "gpt2", "tokenizer": {"vocab_size": 300}}, "go together"),
        ({**SCRATCH, "revision": "main"}, "belongs to `name_or_path`"),
        ({**SCRATCH, "architecture": {"hidden_size": 8}}, "lacks `model_type`"),
        ({**SCRATCH, "architecture": {"model_type": "llama", "vocab_size": 9}}, "follows from the tokenizer"),
        ({**SCRATCH, "architecture": {"model_type": "llama", "max_position_embeddings": 64}}, "exceeds"),
        ({"name_or_path": "gpt2", "dtyp": "float32"}, "Extra inputs"),
    ],
)
def test_contradictions_are_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        ModelSettings.model_validate(fields)


def test_both_origins_are_accepted():
    assert ModelSettings.model_validate(SCRATCH).from_scratch
    assert not ModelSettings(name_or_path="gpt2", revision="main").from_scratch


def test_template_is_part_of_the_settings_and_of_their_hash():
    settings = ModelSettings(name_or_path="gpt2", template=Template(prompt="Q: {question}"))
    assert settings.model_dump()["template"]["prompt"] == "Q: {question}"
    hashes = {
        t.hash for t in (Template(), Template(separator=""), Template(add_eos=False), Template(prompt="{question}"))
    }
    assert len(hashes) == 4
    assert Template().hash == Template(prompt="Question: {question}\nAnswer:").hash


def test_template_refuses_what_would_be_ignored():
    with pytest.raises(ValidationError, match="question"):
        Template(prompt="Answer:")
    with pytest.raises(ValidationError, match="use_chat_template"):
        Template(system="Be brief.")


def test_braces_in_question_and_template_are_text():
    assert Template(prompt="{x} {question}").render("a {question} {0}") == "{x} a {question} {0}"


def test_settings_do_not_wait_for_torch():
    code = "import sys, blur.models.settings, blur.measure.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
