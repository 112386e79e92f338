"""Yao et al.'s random and adversarial labels, WHP's generic ones: what they are, and that they are what is learned."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor, nn
from transformers import AddedToken, PreTrainedTokenizerFast

from blur.core.errors import DataError
from blur.derived import adversarial_labels, generic_labels, random_labels
from blur.models.encode import Example
from blur.unlearn.loop import train
from tests.unlearn.support import VOCAB, examples, loss, settings, streams, tiny_model, token_nlls, value

TEXTS = examples(6, "f")
PLAIN = range(2, VOCAB)  # 0 and 1 are special


def test_a_random_label_is_never_the_token_nor_special_and_a_special_token_stays() -> None:
    text = Example("a", [5, 1, 9, 0, 7, 9], 1)
    drawn = [random_labels.labels(Example(f"{seed}", text.input_ids, 1), PLAIN, 0) for seed in range(400)]
    for labels in drawn:
        assert [labels[0], labels[2]] == [1, 0]
        assert all(label in PLAIN for label in (labels[1], labels[3], labels[4]))
        assert labels[1] != 9 != labels[4]
        assert labels[3] != 7
    counts = Counter(labels[1] for labels in drawn)
    assert len(counts) == len(PLAIN) - 1
    assert max(counts.values()) < 40, "uniform: ten or eleven of each"


def test_special_tokens_without_a_name_are_special() -> None:
    """Those of a chat, and reserved ones: `all_special_ids` has the named ones alone."""
    words = {word: number for number, word in enumerate(("<unk>", "</s>", "a", "b"))}
    made = Tokenizer(WordLevel(words, unk_token="<unk>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", eos_token="</s>")
    tokenizer.add_tokens([AddedToken("<|end|>", special=True), AddedToken("<|reserved|>", special=True)])
    tokenizer.add_tokens([AddedToken("word", special=False)])
    end = tokenizer.convert_tokens_to_ids("<|end|>")
    assert end not in tokenizer.all_special_ids
    found = random_labels.plain(tokenizer)
    assert [tokenizer.convert_ids_to_tokens(token) for token in found] == ["a", "b", "word"]
    assert random_labels.labels(Example("x", [2, 3, end], 1), found, 0)[1] == end


def test_random_labels_are_of_seed_and_id_alone() -> None:
    first, again, other = (
        random_labels.labels(text, PLAIN, seed) for text, seed in zip(TEXTS[:1] * 3, (0, 0, 1), strict=True)
    )
    assert first == again != other
    assert len(first) == len(TEXTS[0].scored)


def logits_of(model: nn.Module, text: Example) -> Tensor:
    with torch.no_grad():
        return model(input_ids=torch.tensor([text.input_ids])).logits[0][max(text.num_prompt, 1) - 1 : -1]


def test_an_adversarial_label_is_the_likeliest_wrong_token_in_the_token_s_own_place(model) -> None:
    found = adversarial_labels.labels(model, TEXTS)
    for text in TEXTS:
        wanted = [
            next(int(v) for v in row.argsort(descending=True) if v != y)
            for row, y in zip(logits_of(model, text), text.scored, strict=True)
        ]
        assert found[text.id] == wanted
        assert all(label != token for label, token in zip(found[text.id], text.scored, strict=True))


def test_of_a_text_known_by_heart_the_authors_label_is_its_next_token_and_ours_is_not() -> None:
    """A model that counts: after v comes v + 1. Read one place late with v left out, the label of v is v + 1."""

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, input_ids: Tensor, **_: object) -> object:
            from transformers.modeling_outputs import CausalLMOutput

            return CausalLMOutput(logits=9.0 * torch.eye(VOCAB)[(input_ids + 1) % VOCAB] + self.weight)

    text = Example("a", list(range(3, 9)), 1)
    found = adversarial_labels.labels(Counting(), [text])["a"]
    assert text.scored == [4, 5, 6, 7, 8]
    authors = [token + 1 for token in text.scored]
    assert not set(zip(range(5), found, strict=True)) & set(enumerate(authors))


def test_a_generic_label_takes_away_what_tuning_made_likelier(model, original) -> None:
    found = generic_labels.labels(model, original, TEXTS, 5.0)
    for text in TEXTS:
        z, tuned = logits_of(model, text), logits_of(original, text)
        assert found[text.id] == (z - 5 * (tuned - z).clamp(min=0)).argmax(-1).tolist()
    assert generic_labels.labels(model, model, TEXTS, 5.0) == {
        text.id: logits_of(model, text).argmax(-1).tolist() for text in TEXTS
    }


@pytest.mark.parametrize("kind", ["random_labels", "adversarial_labels", "generic_labels"])
def test_a_run_learns_its_labels_and_forgets_the_text(kind) -> None:
    texts, model = streams(), tiny_model(0)
    labels = {text.id: [(token + 5) % VOCAB for token in text.scored] for text in texts["forget"]}
    before = [token_nlls(model, text, labels[text.id]).mean().item() for text in texts["forget"]]
    own = value(loss("nll"), model, texts["forget"]).item()
    train(model, texts, settings(kind, None, "weighted", epochs=6), labels={kind: labels})
    after = [token_nlls(model, text, labels[text.id]).mean().item() for text in texts["forget"]]
    assert sum(after) < 0.5 * sum(before)
    assert value(loss("nll"), model, texts["forget"]).item() > own


def test_labels_that_are_missing_or_of_another_length_are_refused() -> None:
    texts = streams()
    labels = {text.id: text.scored for text in texts["forget"]}
    with pytest.raises(
        DataError, match=r"7 examples have not a label for each scored token, 'f0' first.*random_labels"
    ):
        train(tiny_model(0), texts, settings("random_labels", None, "weighted"))
    labels["f3"] = labels["f3"][1:]
    with pytest.raises(DataError, match=r"1 examples have not a label.*'f3' first"):
        train(tiny_model(0), texts, settings("random_labels", None, "weighted"), labels={"random_labels": labels})
