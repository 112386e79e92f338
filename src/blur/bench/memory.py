"""Planned memory against the measured peak of small random models, on a CPU or a GPU.

On a CPU the peak is that of all tensor bytes alive, by the profiler's record of every allocation; on a GPU it is
``torch.cuda.max_memory_allocated``. Run ``python -m blur.bench.memory --help``; with ``--device cuda`` the models are
larger, in bfloat16. Exit code 1 where a plan is off by more than ``--tolerance``.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from blur.models.encode import Example
from blur.planner.activations import Tokens
from blur.planner.architecture import from_fields
from blur.planner.memory import Job, Layout, Memory, plan_memory
from blur.planner.trainable import Trained
from blur.unlearn.losses.base import LIVE
from blur.unlearn.settings import UnlearnSettings
from blur.unlearn.step import Sources, Updater

METHODS: dict[str, dict[str, Any]] = {
    "ga": {"forget": [{"loss": "ga"}]},
    "graddiff": {"forget": [{"loss": "ga"}], "retain": [{"loss": "nll"}]},
    "blur_npo": {"forget": [{"loss": "npo"}], "retain": [{"loss": "nll"}], "combine": "bilevel"},
    "npo_klr": {"forget": [{"loss": "npo"}], "retain": [{"loss": "kl"}]},
    "blur_npo_kl": {"forget": [{"loss": "npo"}], "retain": [{"loss": "kl"}], "combine": "bilevel"},
    "npo_logits": {"forget": [{"loss": "npo_logits"}], "retain": [{"loss": "nll"}], "combine": "bilevel"},
    "idk_dpo": {"forget": [{"loss": {"name": "dpo", "alternates": "refusals"}}], "retain": [{"loss": "nll"}]},
    "blur_rmu": {
        "forget": [{"loss": {"name": "rmu", "layer": 7, "of": 32}}],
        "retain": [{"loss": {"name": "activation_mse", "layer": 7, "of": 32}}],
        "combine": "bilevel",
        "scope": {"name": "down_projections", "layers": [5, 6, 7], "of": 32},
    },
}


@dataclass(frozen=True)
class Case:
    """A small model, a method and a batch.

    Attributes:
        length: tokens of a text, of which ``prompt`` are not scored.
        padded: the last text of each micro-batch is one token shorter, as the alternates of pairs always are.
    """

    method: str = "graddiff"
    model_type: str = "llama"
    dtype: str = "float32"
    hidden: int = 64
    ffn: int = 176
    layers: int = 4
    heads: int = 4
    kv_heads: int = 4
    vocab: int = 512
    tied: bool = False
    batch: int = 4
    length: int = 64
    prompt: int = 0
    padded: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def unlearn(self) -> UnlearnSettings:
        """The method's settings."""
        return UnlearnSettings.model_validate(
            {"steps": 1, "batch_size": self.batch, **METHODS[self.method], **self.settings}
        )

    @property
    def fields(self) -> dict[str, Any]:
        """The model's configuration."""
        sizes = {"hidden_size": self.hidden, "intermediate_size": self.ffn, "num_hidden_layers": self.layers}
        heads = {"num_attention_heads": self.heads, "num_key_value_heads": self.kv_heads}
        other = {"vocab_size": self.vocab, "tie_word_embeddings": self.tied, "max_position_embeddings": self.length}
        return {"model_type": self.model_type, **sizes, **heads, **other}

    def planned(self, device: str) -> Memory:
        """Return the planned memory."""
        element = 4 if self.dtype == "float32" else 2
        trained = Trained(from_fields(self.fields), self.unlearn, element)
        rows = -(-self.batch // self.unlearn.accumulation)
        scored = rows * (self.length - max(self.prompt, 1)) - (self.padded and rows > 1)
        tokens = Tokens(rows, self.length, scored, self.padded and rows > 1)
        kind: Any = device
        streams = {"forget": tokens, "retain": tokens}
        return plan_memory(Job(trained, streams, self.unlearn.accumulation, Layout(device=kind)))


def build(case: Case, device: str) -> Updater:
    """Return the updater of a case, its model and texts random."""
    torch.manual_seed(0)
    own = {key: value for key, value in case.fields.items() if key != "model_type"}
    config, settings = AutoConfig.for_model(case.model_type, **own), case.unlearn
    model: Any = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, case.dtype)).to(device)
    rows = -(-case.batch // settings.accumulation)
    sizes = [case.length - (case.padded and place % rows == rows - 1) for place in range(case.batch)]
    texts = [torch.randint(1, case.vocab, (size,)).tolist() for size in sizes]
    streams = {s: [Example(f"{s}{i}", t, case.prompt) for i, t in enumerate(texts)] for s in ("forget", "retain")}
    for name in settings.alternates:
        streams[name] = [
            replace(one, alternates=(Example(f"{one.id}~0", one.input_ids[1:], case.prompt),)) for one in streams[name]
        ]
    known = [row for example in streams["forget"] for row in example.rows]
    sums = {row.id: float(case.length) for row in known}  # any number: a forward pass less
    frozen: Any = None
    if settings.needs & LIVE:
        frozen = AutoModelForCausalLM.from_config(config, dtype=model.dtype).to(device).requires_grad_(False)
    return Updater(settings.prepare(model), settings, Sources(streams, sums, frozen))


def measured(case: Case, device: str = "cpu", steps: int = 2) -> int:
    """Return the most tensor bytes alive at once while a case is built and makes ``steps`` updates."""

    def update() -> None:
        updater, rows = build(case, device), range(case.batch)
        for step in range(steps):
            updater.update(step + 1, {"forget": rows, "retain": rows}, 1e-5)

    return peak_of(update, device)


def peak_of(work: Callable[[], None], device: str = "cpu") -> int:
    """Return the most bytes of tensors that ``work`` makes, alive at once."""
    gc.collect()
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    assert profiler.profiler is not None
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = (event.nbytes() for event in sorted(events, key=lambda event: event.start_ns()))
    return max(accumulate(changes))


CHECKPOINTED = {"gradient_checkpointing": True}
SMALL = {
    "graddiff": Case(),
    "graddiff, wide": Case(hidden=256, ffn=704, layers=2, batch=2, length=32),
    "graddiff, deep": Case(hidden=48, ffn=128, layers=12),
    "graddiff, vocabulary 8192": Case(vocab=8192, layers=2),
    "graddiff, tied, short": Case(vocab=8192, layers=2, batch=1, length=16, tied=True),
    "graddiff, long": Case(length=256, batch=2),
    "graddiff, vocabulary 64": Case(vocab=64, length=128),
    "graddiff, padded, 2 of 4 heads": Case(kv_heads=2, padded=True, length=128),
    "graddiff, checkpointing": Case(settings=CHECKPOINTED, layers=12),
    "graddiff, checkpointing, long": Case(settings=CHECKPOINTED, length=256, vocab=64),
    "graddiff, gradients logged": Case(settings={"log_gradients": True}),
    "graddiff, Mistral": Case(model_type="mistral", kv_heads=2),
    "graddiff, Qwen2": Case(model_type="qwen2", kv_heads=2),
    "ga": Case("ga", layers=8),
    "blur_npo": Case("blur_npo", layers=8),
    "blur_npo, small batch": Case("blur_npo", batch=1, length=8, layers=8),
    "blur_npo, 4 micro-batches": Case("blur_npo", batch=8, vocab=1024, settings={"accumulation": 4}),
    "blur_npo, bfloat16": Case("blur_npo", dtype="bfloat16", vocab=2048),
    "blur_npo, checkpointing": Case("blur_npo", settings=CHECKPOINTED, layers=8),
    "blur_npo, SGD": Case("blur_npo", settings={"optimizer": "sgd"}),
    "blur_npo, retain momentum": Case("blur_npo", settings={"combine": {"name": "bilevel", "momentum": "retain"}}),
    "blur_npo, no momentum": Case("blur_npo", settings={"combine": {"name": "bilevel", "momentum": "none"}}),
    "blur_npo, GRU": Case("blur_npo", layers=8, settings={"combine": "gru"}),
    "blur_npo, two optimizer states": Case("blur_npo", layers=8, settings={"combine": "dual"}),
    "blur_npo, SAM": Case("blur_npo", layers=8, settings={"smooth": "sam"}),
    "blur_npo, random smoothing": Case("blur_npo", layers=8, settings={"smooth": "random"}),
    "blur_npo, penalty": Case("blur_npo", layers=8, settings={"smooth": "penalty"}),
    "blur_rmu, Sophia": Case("blur_rmu", layers=8, settings={"optimizer": "sophia"}),
    "blur_npo, long prompts": Case("blur_npo", prompt=40, vocab=2048),
    "blur_npo, 15M": Case("blur_npo", hidden=288, ffn=768, layers=6, heads=6, kv_heads=6, vocab=8192, length=128),
    "idk_dpo": Case("idk_dpo", layers=8),
    "npo_klr": Case("npo_klr", layers=8),
    "npo_klr, vocabulary 4096": Case("npo_klr", vocab=4096),
    "npo_klr, bfloat16": Case("npo_klr", dtype="bfloat16", vocab=2048),
    "npo_klr, checkpointing, padded": Case("npo_klr", padded=True, length=200, settings=CHECKPOINTED, vocab=256),
    "blur_npo_kl": Case("blur_npo_kl"),
    "npo_logits": Case("npo_logits"),
    "blur_rmu": Case("blur_rmu", layers=8),
    "blur_rmu, checkpointing": Case("blur_rmu", layers=8, settings=CHECKPOINTED),
    "blur_rmu, all weights": Case("blur_rmu", layers=8, settings={"scope": "all"}),
    "LoRA": Case("blur_npo", settings={"wrapper": "lora"}),
    "LoRA, bfloat16": Case("blur_npo", dtype="bfloat16", settings={"wrapper": "lora"}),
    "LoRA, checkpointing": Case(settings={"wrapper": "lora", **CHECKPOINTED}),
}
_SMOLLM2: dict[str, Any] = {
    "hidden": 576,
    "ffn": 1536,
    "layers": 30,
    "heads": 9,
    "kv_heads": 3,
    "vocab": 49152,
    "tied": True,
}
_LLAMA_1B: dict[str, Any] = {
    "hidden": 2048,
    "ffn": 8192,
    "layers": 16,
    "heads": 32,
    "kv_heads": 8,
    "vocab": 128256,
    "tied": True,
}
LARGE = {
    f"{method}, {size}{', checkpointing' if settings else ''}": Case(
        method, dtype="bfloat16", batch=4, length=512, settings=settings, **shape
    )
    for size, shape in (("135M", _SMOLLM2), ("1B", _LLAMA_1B))
    for method in ("graddiff", "blur_npo", "npo_klr", "blur_rmu")
    for settings in ({}, CHECKPOINTED)
}


def main() -> None:
    """Measure all cases and print planned against measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--tolerance", type=float, default=0.1)
    arguments = parser.parse_args()
    worst = 0.0
    print(f"{'case':36}{'planned MiB':>12}{'measured MiB':>14}{'ratio':>8}  highest at")
    for name, case in (SMALL if arguments.device == "cpu" else LARGE).items():
        peak, found = case.planned(arguments.device).peak, measured(case, arguments.device)
        worst = max(worst, abs(peak.total / found - 1))
        print(f"{name:36}{peak.total / 2**20:12.2f}{found / 2**20:14.2f}{peak.total / found:8.3f}  {peak.name}")
    print(f"off by {worst:.1%} at most")
    sys.exit(worst > arguments.tolerance)


if __name__ == "__main__":
    main()
