"""Step time, tokens per second and model FLOP utilisation of GradDiff, NPO-GDR and BLUR-NPO, for a GPU above all.

Random weights in the shape of a known model, bfloat16 on a GPU, attention through SDPA (FlashAttention where torch has
it). A step reads one forget and one retain batch, so ``2 x batch x tokens`` tokens; utilisation counts 6 operations a
parameter and token (Kaplan et al., arXiv 2001.08361), recomputation not counted, over the GPU's peak in
config/planner.yaml. The methods take turns in one process; ratios are of medians with 95% bootstrap intervals.
Run ``python -m blur.bench.throughput --help``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from blur.bench.step import ratio, take_turns
from blur.models.encode import Example
from blur.planner.architecture import from_fields
from blur.planner.catalogue import load_catalogue
from blur.unlearn.references import reference_sums
from blur.unlearn.settings import UnlearnSettings
from blur.unlearn.step import Sources, Updater

NAMED = {"135M": "HuggingFaceTB/SmolLM2-135M", "1B": "meta-llama/Llama-3.2-1B"}  # shapes of config/planner.yaml
TINY: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 176,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 512,
    "tie_word_embeddings": True,
}
METHODS: dict[str, tuple[str, str]] = {
    "graddiff": ("ga", "weighted"),
    "npo_gdr": ("npo", "weighted"),
    "blur_npo": ("npo", "bilevel"),
}
BAR = 1.03  # BLUR over GradDiff


@dataclass(frozen=True)
class Load:
    """What is timed: a shape (one of ``NAMED``, or ``tiny``), the batch of each stream, and where."""

    shape: str
    batch: int
    tokens: int
    device: str
    precise: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """bfloat16 on a GPU, float32 on a CPU and where ``precise`` asks for it."""
        return torch.float32 if self.device == "cpu" or self.precise else torch.bfloat16


@cache
def fields_of(shape: str) -> dict[str, Any]:
    """Return the fields of a shape's configuration; ``tiny`` shows on a CPU that the script works."""
    return TINY if shape == "tiny" else load_catalogue().architectures[NAMED[shape]].fields


def updater(method: str, load: Load, **changes: Any) -> Updater:
    """Return what makes the steps of a method, with ``changes`` of its settings, on a model of its own."""
    forget, combine = METHODS[method]
    recipe: dict[str, Any] = {"forget": [{"loss": forget}], "retain": [{"loss": "nll"}], "combine": combine}
    settings = UnlearnSettings.model_validate({**recipe, "steps": 1, "batch_size": load.batch, **changes})
    torch.manual_seed(0)
    config = AutoConfig.for_model(**fields_of(load.shape), max_position_embeddings=load.tokens)
    model: Any = AutoModelForCausalLM.from_config(config)
    model = model.to(load.device, load.dtype)
    streams = {name: texts(name, load, config.vocab_size) for name in ("forget", "retain")}
    sums = reference_sums(model, streams["forget"], load.batch) if "reference_sums" in settings.needs else None
    return Updater(model, settings, Sources(streams, sums))


def texts(name: str, load: Load, vocabulary: int) -> list[Example]:
    """Return random texts, as many as a batch has."""
    generator = torch.Generator().manual_seed(1)
    rows = torch.randint(1, vocabulary, (load.batch, load.tokens), generator=generator).tolist()
    return [Example(f"{name}{number}", row, 0) for number, row in enumerate(rows)]


def measure(load: Load, rounds: int, warmup: int = 3) -> dict[str, list[float]]:
    """Return wall seconds of each method's steps, one number a round; the order turns round every time."""
    times = take_turns({method: _step(updater(method, load), load) for method in METHODS}, rounds, warmup)
    return {method: clocks["wall"] for method, clocks in times.items()}


def _step(moved: Updater, load: Load) -> Callable[[int], None]:
    indices = {stream: list(range(load.batch)) for stream in ("forget", "retain")}

    def step(number: int) -> None:
        moved.update(number + 1, indices, 1e-5)
        if load.device != "cpu":
            torch.cuda.synchronize()

    return step


def utilisation(seconds: float, num_parameters: int, load: Load, peak_tflops: float) -> float:
    """Return the share of the peak that ``6 N`` operations a token make of a step's time."""
    return 6 * num_parameters * 2 * load.batch * load.tokens / seconds / (peak_tflops * 1e12)


def table(load: Load, seconds: dict[str, list[float]], peak_tflops: float) -> str:
    """Return a line per method, and what BLUR takes over GradDiff."""
    count = from_fields(fields_of(load.shape)).num_parameters
    lines = [f"{'method':10} {'ms a step':>10} {'tokens/s':>10} {'utilisation':>12}"]
    for method, values in seconds.items():
        median = float(np.median(values))
        speed = 2 * load.batch * load.tokens / median
        share = utilisation(median, count, load, peak_tflops)
        lines.append(f"{method:10} {1e3 * median:10.1f} {speed:10.0f} {share:12.2%}")
    found = ratio(seconds["blur_npo"], seconds["graddiff"])
    interval = f"[{found['low']:.3f}, {found['high']:.3f}]"
    return "\n".join([*lines, f"BLUR-NPO over GradDiff: {found['ratio']:.4f} {interval}, bar {BAR}"])


def main() -> None:
    """Time both shapes on the GPU; where there is none, say so, or time ``tiny`` on request."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--gpu", default="h100-80g", help="a GPU of config/planner.yaml, for its peak")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("no GPU here: step times, tokens per second and utilisation are not measured")
        return
    peak = load_catalogue().gpu(arguments.gpu).bf16_tflops
    for shape in ("tiny",) if arguments.device == "cpu" else ("135M", "1B"):
        load = Load(shape, arguments.batch, arguments.tokens, arguments.device)
        print(f"\n{shape}, batch {load.batch} x {load.tokens} tokens a stream, {load.dtype}, peak of {arguments.gpu}")
        print(table(load, measure(load, arguments.rounds), peak))


if __name__ == "__main__":
    main()
