"""Processor seconds of VerbMem, KnowMem and PrivLeak on 100 texts: batched, and one at a time as MUSE's code does it.

    python -m tests.measure.bench [--texts 100] [--rounds 5]

The ways take turns in one process, so that a busy machine slows them alike; the ratio is of medians, with the least
and greatest of the rounds. One at a time means: transformers' own generation with a key-value cache, prompt by prompt;
for PrivLeak a forward pass for each text (``once``), and what MUSE's code does: two for each (the text and its lower
case) of three sets, with every probability read one by one (``muse``). The time of ROUGE counts on both sides.
"""

from __future__ import annotations

import argparse
import random
import statistics

import numpy as np
import torch

from blur.bench.step import take_turns
from blur.measure.run import measure
from blur.measure.settings import MeasureSettings
from blur.metrics import compute_all
from blur.models import Template, build_from_config, train_tokenizer
from tests.measure import plain

MODEL = {
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 352,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": True,
}
STOPS = ["\n\n", "\nQuestion", "Question:"]
REQUESTS = {
    "verbmem": {"generation": [{"set": "verbmem", "max_new_tokens": 128}]},
    "knowmem": {"generation": [{"set": "qa", "examples": "icl", "max_new_tokens": 32}]},
    "privleak": {"likelihood": [{"set": name, "fields": ["text"]} for name in ("forget", "holdout")]},
}
SPECS = {
    "verbmem": {"metric": "rouge_l_f1", "set": "verbmem"},
    "knowmem": {"metric": "rouge_l_f1", "set": "qa", "stop": STOPS},
    "privleak": {"metric": "privleak", "members": "forget", "nonmembers": "holdout", "field": "text"},
}


def world(size: int) -> dict[str, list[dict[str, str]]]:
    """Random sentences: passages of about 130 tokens, questions of about 12, texts of about 130."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 8))) for _ in range(700)]

    def say(low: int, high: int) -> str:
        return " ".join(draw.choices(words, k=draw.randint(low, high))) + "."

    def texts(count: int) -> list[dict[str, str]]:
        return [{"id": str(place), "text": say(60, 90)} for place in range(count)]

    def questions(count: int) -> list[dict[str, str]]:
        return [{"id": str(i), "question": say(4, 9) + "?", "answer": say(3, 8)} for i in range(count)]

    verbmem = [{"id": str(place), "prompt": say(60, 90), "gt": " " + say(80, 100)} for place in range(size)]
    half = size // 2
    return {
        "verbmem": verbmem,
        "qa": questions(size),
        "icl": questions(10),
        "forget": texts(half),
        "holdout": texts(size - half),
        "retain": texts(half),
    }


def muse_privleak(model, tokenizer, sets):
    """Do what MUSE's code does for one model: its loss and seven ratios too, none of which PrivLeak reads."""
    for name in ("forget", "retain", "holdout"):
        for record in sets[name]:
            for text in (record["text"], record["text"].lower()):
                ids = torch.tensor([tokenizer(text)["input_ids"]])
                with torch.no_grad():
                    out = model(ids, labels=ids)
                logp = torch.log_softmax(out.logits, -1)
                tokens = [logp[0, place, token].item() for place, token in enumerate(ids[0][1:])]
            for ratio in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6):
                np.mean(np.sort(tokens)[: int(len(tokens) * ratio)])


def ways(model, tokenizer, sets):
    """Return the functions to time, by metric and way."""
    template = Template()

    def batched(metric):
        settings = MeasureSettings.model_validate(REQUESTS[metric])
        measured = measure(model, tokenizer, template, sets, settings, 512)
        return compute_all([{"name": metric, **SPECS[metric]}], measured, {"retrained": measured})

    def once():
        for name in ("forget", "holdout"):
            for record in sets[name]:
                plain.min_40(model, tokenizer, record["text"])

    return {
        "verbmem": {
            "batched": lambda: batched("verbmem"),
            "muse": lambda: plain.verbmem(model, tokenizer, sets["verbmem"], 128, plain.cached),
        },
        "knowmem": {
            "batched": lambda: batched("knowmem"),
            "muse": lambda: plain.knowmem(model, tokenizer, sets["qa"], sets["icl"], 32, plain.cached),
        },
        "privleak": {
            "batched": lambda: batched("privleak"),
            "once": once,
            "muse": lambda: muse_privleak(model, tokenizer, sets),
        },
    }


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=100)
    parser.add_argument("--metric", nargs="+", choices=list(SPECS), default=list(SPECS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sets = world(options.texts)
    tokenizer = train_tokenizer([r["text"] for r in sets["forget"]] + [r["gt"] for r in sets["verbmem"]], 1024)
    model = build_from_config(MODEL, tokenizer, seed=0).eval()
    size = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    print(f"{options.texts} texts, {size:.2f}M parameters, {options.threads} thread(s), {options.rounds} rounds")
    offered = ways(model, tokenizer, sets)
    for metric in options.metric:
        turns = {way: lambda _, run=run: run() for way, run in offered[metric].items()}
        seconds = {way: clocks["cpu"] for way, clocks in take_turns(turns, options.rounds, warmup=0).items()}
        fast = seconds.pop("batched")
        for way, slow in seconds.items():
            ratios = [one / other for one, other in zip(slow, fast, strict=True)]
            ratio = statistics.median(slow) / statistics.median(fast)
            print(
                f"{metric:<9} {way:<5} {statistics.median(slow):8.3f} s, batched {statistics.median(fast):7.3f} s: "
                f"{ratio:5.1f} times faster ({min(ratios):.1f} to {max(ratios):.1f})"
            )


if __name__ == "__main__":
    main()
