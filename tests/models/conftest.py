from __future__ import annotations

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from blur.models import build_from_config, train_tokenizer
from tests.tiny import ARCHITECTURES

TEXTS = [
    "Question: Who is Ann Lee?\nAnswer: Ann Lee is a poet from Rome.",
    "Question: Where was the poet born?\nAnswer: The poet was born in Rome, near the river.",
    "Question: Who is Ann?\nAnswer: Ann Lee is a poet.",
    "Question: What does Ann write?\nAnswer: She writes poems about rivers and bridges.",
] * 5


def sentencepiece_like() -> PreTrainedTokenizerFast:
    """As Llama 2's: a space is part of the word after it, a text gets a space in front, BOS leads."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    tokenizer.decoder = decoders.Metaspace()
    special = ["<unk>", "<s>", "</s>"]
    tokenizer.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=400, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def word_level() -> PreTrainedTokenizerFast:
    """Words between spaces; no BOS; an EOS that the tokenizer itself appends."""
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.train_from_iterator(TEXTS, trainers.WordLevelTrainer(special_tokens=["<unk>", "</s>"]))
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>")


MAKERS = {
    "byte_level": lambda: train_tokenizer(TEXTS, 330),
    "sentencepiece_like": sentencepiece_like,
    "word_level": word_level,
}


@pytest.fixture(params=sorted(MAKERS))
def any_tokenizer(request):
    return MAKERS[request.param]()


@pytest.fixture(scope="session")
def tokenizer():
    return MAKERS["byte_level"]()


@pytest.fixture
def llama(tokenizer):
    return build_from_config(ARCHITECTURES["llama"], tokenizer, seed=0)
