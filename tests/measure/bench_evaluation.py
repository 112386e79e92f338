"""Processor seconds of a whole evaluation, against one padded forward pass of its texts plus its cached generation.

    python -m tests.measure.bench_evaluation [--rounds 9]

A Llama of two million parameters, trained briefly on TOFU's world so that its answers end, is measured for every metric
of `config/benchmarks/tofu.yaml`: 40 questions to forget, 160 retained, 40 + 40 general, 40 of the holdout.
``floor`` is what no evaluation can do without, made plainly: each text goes through the model once, padded, in batches
of texts of like length, and logits are made where a token is scored; answers come from transformers' own generation
with a cache, in padded batches. No statistic over the vocabulary and no tokenizer is in it. All take turns in one
process, so that a busy machine slows them alike; ratios are of each round, told as median, least and greatest.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import torch
import yaml
from transformers import GenerationConfig

from blur.bench.step import take_turns
from blur.data.benchmarks import tofu
from blur.measure.batching import buckets
from blur.measure.prompts import prompts_of
from blur.measure.run import measure, passages_of
from blur.measure.settings import MeasureSettings
from blur.models import Template, build_from_config, train_tokenizer
from blur.models.batch import collate
from blur.models.encode import encode_record
from blur.models.forward import forward
from blur.unlearn.loop import train
from blur.unlearn.settings import UnlearnSettings

MODEL = {
    "model_type": "llama",
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
}
WORLD = {
    "source": {"kind": "world", "num_real_authors": 40, "num_world_facts": 40},
    "split": "forget10",
    "max_eval_retain": 160,
}
LIMIT = 40  # records of each set but ``eval_retain``; a quarter of that for each of the four requests
TEMPLATE = Template(prompt="Question: {question}\nAnswer:", separator=" ")
MAX_LENGTH = 256


def suite() -> MeasureSettings:
    """The benchmark's measurements, of fewer records."""
    asked = yaml.safe_load(Path("config/benchmarks/tofu.yaml").read_text())["measure"]
    for request in (one for kind in asked.values() for one in kind):
        short = LIMIT // 4 if request["set"].startswith("request") else LIMIT
        request["limit"] = 160 if request["set"] == "eval_retain" else short
    return MeasureSettings.model_validate(asked)


def trained(epochs: int):
    """Return a model that has learned the world's form and a little of it, its tokenizer, and all sets."""
    sets = tofu.Data.model_validate(WORLD).build()
    records = [record for name in ("forget", "retain", "general") for record in sets[name]]
    texts = [TEMPLATE.render(record["question"]) + TEMPLATE.continuation(record["answer"]) for record in records]
    tokenizer = train_tokenizer(texts, 1024)
    model = build_from_config(MODEL, tokenizer, seed=0)
    examples = [encode_record(tokenizer, TEMPLATE, record, MAX_LENGTH) for record in records]
    settings = {
        "retain": [{"stream": "retain", "loss": "nll"}],
        "optimizer": {"name": "adamw", "lr": 3.0e-3},
        "batch_size": 16,
        "epochs": epochs,
    }
    return train(model, {"retain": examples}, UnlearnSettings.model_validate(settings)).model, tokenizer, sets


def padded_pass(model, examples, max_batch_tokens):
    """Every text once, padded on the right; logits where a token is scored."""
    with torch.no_grad():
        for batch in buckets([len(example.input_ids) for example in examples], max_batch_tokens):
            assert len(forward(model, collate([examples[place] for place in batch]), "scored").logits)


def cached_generation(model, groups, max_cache_tokens, eos):
    """Answers by transformers' own generation, prompts padded on the left."""
    for size, prompts in groups.items():
        config = GenerationConfig(max_new_tokens=size, do_sample=False, eos_token_id=eos, pad_token_id=eos)
        for batch in buckets([len(prompt) + size for prompt in prompts], max_cache_tokens):
            longest = max(len(prompts[place]) for place in batch)
            ids = torch.tensor([[eos] * (longest - len(prompts[place])) + prompts[place] for place in batch])
            mask = torch.tensor([[0] * (longest - len(prompts[place])) + [1] * len(prompts[place]) for place in batch])
            model.generate(ids, attention_mask=mask, generation_config=config)


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--epochs", type=int, default=3, help="of the training before")
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings, (model, tokenizer, sets) = suite(), trained(options.epochs)
    examples = [one.example for one in passages_of(tokenizer, TEMPLATE, sets, settings, MAX_LENGTH)]
    groups: dict[int, list[list[int]]] = {}
    for request in settings.generation:
        found = [prompt.input_ids for prompt in prompts_of(tokenizer, TEMPLATE, sets, request)]
        groups.setdefault(request.max_new_tokens, []).extend(found)
    size = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    tokens, prompts = sum(len(one.input_ids) for one in examples), sum(map(len, groups.values()))
    print(
        f"{size:.2f}M parameters; {len(examples)} texts of {tokens} tokens, {prompts} prompts; {options.rounds} rounds"
    )

    def whole(**without):
        measure(model, tokenizer, TEMPLATE, sets, settings.model_copy(update=without), MAX_LENGTH)

    turns = {
        "forward": lambda _: padded_pass(model, examples, settings.max_batch_tokens),
        "generation": lambda _: cached_generation(model, groups, settings.max_cache_tokens, tokenizer.eos_token_id),
        "evaluation": lambda _: whole(),
        "without gradient norms": lambda _: whole(gradnorm=()),
    }
    seconds = {name: clocks["cpu"] for name, clocks in take_turns(turns, options.rounds, warmup=0).items()}
    floor = [one + other for one, other in zip(seconds["forward"], seconds["generation"], strict=True)]
    print(f"{'floor':<24} {statistics.median(floor):7.3f} s CPU")
    for name, own in seconds.items():
        ratios = [one / least for one, least in zip(own, floor, strict=True)]
        share = f"{statistics.median(ratios):.2f} of the floor ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{name:<24} {statistics.median(own):7.3f} s CPU, {share}")


if __name__ == "__main__":
    main()
