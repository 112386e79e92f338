from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from blur.core.errors import ConfigError, DataError
from blur.measure.batching import evaluation_mode
from blur.measure.run import measure, passages_of
from blur.measure.settings import MeasureSettings
from blur.measurements import Measurements
from blur.models import Template
from tests.measure.conftest import RECORDS, SETS, TEMPLATE

SETTINGS = MeasureSettings.model_validate(
    {
        "likelihood": [{"set": "people", "fields": ["answer", "perturbed_answer"], "limit": 4}],
        "generation": [{"set": "people", "max_new_tokens": 5, "limit": 3}],
        "gradnorm": [{"set": "people", "limit": 2}, {"set": "texts", "limit": 3}],
        "max_batch_tokens": 128,
    }
)


def test_measures_what_is_asked_for_in_file_order_and_survives_the_disk(llama, tokenizer, tmp_path):
    calls: list[tuple[int, int, str]] = []
    measured = measure(llama, tokenizer, TEMPLATE, SETS, SETTINGS, 100, lambda *call: calls.append(call))
    measured.write(tmp_path)
    for found in (measured, Measurements.read(tmp_path)):
        assert [text.id for text in found.likelihood("people", "answer")] == ["q0", "q1", "q2", "q3"]
        assert [text.index for text in found.likelihood("people", "perturbed_answer")] == [0, 1, 2] * 4
        rows = found.generations("people")
        assert [row.id for row in rows] == ["q0", "q1", "q2"]
        assert all(row.num_tokens <= 5 for row in rows)
        assert rows[1].reference == RECORDS[1]["answer"]
        assert rows[1].prompt == TEMPLATE.render(RECORDS[1]["question"])
        assert list(found.gradnorm("people")) == ["q0", "q1"]
        assert list(found.gradnorm("texts")) == ["t0", "t1", "t2"]
    ends = {what: (done, total) for done, total, what in calls}
    assert ends == {"likelihood": (16, 16), "generation": (3, 3), "gradient norm": (5, 5)}


def test_model_is_left_as_it_was(llama, tokenizer):
    llama.train()
    llama.model.layers[0].eval()
    frozen = next(llama.parameters()).requires_grad_(False)
    weights = {name: tensor.clone() for name, tensor in llama.state_dict().items()}
    modes = [module.training for module in llama.modules()]
    measure(llama, tokenizer, TEMPLATE, SETS, SETTINGS, 100)
    assert [module.training for module in llama.modules()] == modes
    assert not frozen.requires_grad
    assert all(p.requires_grad for p in llama.parameters() if p is not frozen)
    assert all(p.grad is None for p in llama.parameters())
    assert all(torch.equal(tensor, weights[name]) for name, tensor in llama.state_dict().items())
    llama(torch.tensor([[0, 1]]), labels=torch.tensor([[0, 1]])).loss.backward()


def test_dropout_and_modes_are_restored_after_an_error(llama):
    llama.train()
    llama.register_forward_pre_hook(lambda *_: pytest.fail("stop"))
    with pytest.raises(pytest.fail.Exception, match="stop"), evaluation_mode(llama):
        llama(torch.tensor([[0, 1]]))
    assert all(module.training for module in llama.modules())
    assert all(parameter.requires_grad for parameter in llama.parameters())


def test_generation_and_likelihood_share_the_prefix_for_a_template_that_ends_in_a_space(llama, tokenizer):
    seen: list[list[int]] = []
    settings = MeasureSettings.model_validate({"generation": [{"set": "people", "max_new_tokens": 1}]})
    template = Template(prompt="Question: {question}\nAnswer: ", separator="")

    def record(_, args, kwargs):
        pairs = zip(kwargs["input_ids"], kwargs["attention_mask"], strict=True)
        seen.extend(row[mask.bool()].tolist() for row, mask in pairs)

    llama.register_forward_pre_hook(record, with_kwargs=True)
    measure(llama, tokenizer, template, SETS, settings, 100)
    asked = MeasureSettings.model_validate({"likelihood": [{"set": "people"}]})
    examples = [passage.example for passage in passages_of(tokenizer, template, SETS, asked, 100)]
    assert sorted(seen) == sorted(example.input_ids[: example.num_prompt] for example in examples)


def test_missing_set_and_field_are_named(llama, tokenizer):
    def run(request, sets):
        settings = MeasureSettings.model_validate({"likelihood": [request]})
        return measure(llama, tokenizer, TEMPLATE, sets, settings, 100)

    with pytest.raises(ConfigError, match=r"no set 'peple'.*passages, people"):
        run({"set": "peple"}, SETS)
    with pytest.raises(DataError, match=r"set 'people': record 'q9' has no 'paraphrased_answer'"):
        run(
            {"set": "people", "fields": ["paraphrased_answer"]},
            {"people": [{"id": "q9", "question": "?", "answer": "a"}]},
        )


def test_asking_twice_for_the_same_texts_is_refused():
    with pytest.raises(ValidationError, match="twice"):
        MeasureSettings.model_validate({"likelihood": [{"set": "a"}, {"set": "a", "fields": ["answer"]}]})
    with pytest.raises(ValidationError, match="twice"):
        MeasureSettings.model_validate({"gradnorm": [{"set": "a"}, {"set": "a", "limit": 2}]})
    both = MeasureSettings.model_validate({"likelihood": [{"set": "b"}], "gradnorm": [{"set": "a"}, {"set": "b"}]})
    assert both.sets == ("a", "b")
