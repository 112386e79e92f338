"""Cost of one BLUR step against the weighted sum with the same losses, and against BLUR with a live reference model.

``weighted``, ``blur`` and ``live_reference`` have NPO and NLL over all weights; ``rmu`` and ``blur_rmu`` are RMU as its
authors run it, on three layers of 32 or what they come to here, with a frozen model that is run up to the layer read.

All variants live in one process and take one step each in turn, the order reversed every round, so that a busy machine
slows them alike. Ratios are of medians; intervals are 95% bootstraps over rounds, resampled in pairs.
Run ``python -m blur.bench.step --help``.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from blur.models.batch import collate
from blur.models.encode import Example
from blur.models.forward import forward
from blur.unlearn.combine.base import Statistics
from blur.unlearn.gradients import Gradients
from blur.unlearn.references import reference_sums
from blur.unlearn.settings import UnlearnSettings
from blur.unlearn.step import Sources, Updater

T = TypeVar("T")
SIZES: dict[str, dict[str, Any]] = {
    "15M": {"hidden_size": 288, "num_hidden_layers": 6, "intermediate_size": 768, "vocab_size": 32000},
    "3M": {"hidden_size": 192, "num_hidden_layers": 4, "intermediate_size": 512, "vocab_size": 4096},
    "demo": {  # config/models/llama-1m.yaml
        "hidden_size": 128,
        "num_hidden_layers": 4,
        "intermediate_size": 352,
        "num_attention_heads": 4,
        "vocab_size": 1024,
    },
}
MEASURED = ("15M", "demo")
BATCH, TOKENS, STREAM = 4, 128, 16
KINDS = ("weighted", "blur", "live_reference", "rmu", "blur_rmu")
LAYER = {"layer": 7, "of": 32}
DOWN = {"name": "down_projections", "layers": [5, 6, 7], "of": 32}
BARS = {"time_over_weighted": 1.03, "live_reference_over_blur": 1.10, "memory_over_weighted": 1.0}


class BareSum(Updater):
    """The weighted sum, two backwards in turn, that measures and logs nothing: the leanest step there is."""

    def _combine(self, forget: Gradients, gradients: Gradients, *_: Any) -> tuple[list[Gradients], Statistics]:
        return [gradients], Statistics()


class LiveReference(Updater):
    """BLUR's step with the frozen original model run on the forget batch at every step, as other codebases do."""

    def __init__(self, model: nn.Module, settings: UnlearnSettings, sources: Sources, frozen: Any) -> None:
        super().__init__(model, settings, sources)
        self.frozen = frozen

    def update(self, step: int, indices: Mapping[str, Sequence[int]], lr: float, stop: bool = False) -> Any:
        """Run the reference, then make the update."""
        batch = collate([self.sources.streams["forget"][index] for index in indices["forget"]], self.device)
        with torch.no_grad():
            _ = forward(self.frozen, batch, "scored").nll_sums
        return super().update(step, indices, lr, stop)


def build(kind: str, size: str, device: str) -> Callable[[int], None]:
    """Return a function that makes one step of a variant of ``KINDS``."""
    streams, settings = _streams(SIZES[size]["vocab_size"]), _settings(kind)
    model = settings.prepare(_model(size, device))
    sums = reference_sums(model, streams["forget"], BATCH) if "reference_sums" in settings.needs else None
    frozen = _model(size, device) if kind in ("live_reference", "rmu", "blur_rmu") else None
    if kind == "live_reference":
        updater: Updater = LiveReference(model, settings, Sources(streams, sums), frozen)
    else:
        bare = kind in ("weighted", "rmu")
        updater = (BareSum if bare else Updater)(model, settings, Sources(streams, sums, frozen))

    def step(number: int) -> None:
        rows = [(number * BATCH + offset) % STREAM for offset in range(BATCH)]
        updater.update(number + 1, {"forget": rows, "retain": rows}, 1e-5)
        if device != "cpu":
            torch.cuda.synchronize()

    return step


def _settings(kind: str) -> UnlearnSettings:
    rmu = kind.endswith("rmu")
    value = {
        "forget": [{"loss": {"name": "rmu", "coefficient": 6.5, **LAYER} if rmu else "npo"}],
        "retain": [{"loss": {"name": "activation_mse", **LAYER} if rmu else "nll"}],
        "combine": "weighted" if kind in ("weighted", "rmu") else "bilevel",
        "scope": DOWN if rmu else "all",
        "steps": 1,
        "batch_size": BATCH,
    }
    return UnlearnSettings.model_validate(value)


def measure_times(size: str, device: str, rounds: int, warmup: int = 3) -> dict[str, dict[str, list[float]]]:
    """Return wall and CPU seconds of each variant, one number a round."""
    return take_turns({kind: build(kind, size, device) for kind in KINDS}, rounds, warmup)


def clocks(step: Callable[[int], object], number: int) -> dict[str, float]:
    """Make a step; return its seconds of wall and of CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    step(number)
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def take_turns(
    steps: Mapping[str, Callable[[int], T]],
    rounds: int,
    warmup: int = 3,
    measure: Callable[[Callable[[int], T], int], dict[str, float]] = clocks,
) -> dict[str, dict[str, list[float]]]:
    """Make one step of each in turn, the order reversed every round; return the figures of each.

    Args:
        steps: by name; each is given the number of the round.
        rounds: how many numbers there are of each figure.
        warmup: rounds before them, not counted.
        measure: makes a step and returns its figures, by default wall and CPU seconds of this process.
    """
    taken: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in steps}
    for number in range(warmup + rounds):
        for name in list(steps)[:: 1 if number % 2 else -1]:
            for figure, value in measure(steps[name], number).items():
                if number >= warmup:
                    taken[name][figure].append(value)
    return taken


def peak_memory(kind: str, size: str, device: str, steps: int = 3) -> dict[str, int]:
    """Return the most tensor bytes alive at once, model included, and the number of models alive while stepping."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        step = build(kind, size, device)
        for number in range(steps):
            step(number)
        return {"bytes": torch.cuda.max_memory_allocated(), "models": _models_alive()}
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        step = build(kind, size, device)
        for number in range(steps):
            step(number)
        alive = _models_alive()
    assert profiler.profiler is not None
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return {"bytes": int(np.cumsum(changes).max()), "models": alive}


def ratio(above: Sequence[float], below: Sequence[float], draws: int = 4000) -> dict[str, float]:
    """Return the ratio of medians, its 95% bootstrap interval over paired rounds, and the median of paired ratios."""
    pairs = np.array([above, below])
    picks = np.random.default_rng(0).integers(0, pairs.shape[1], (draws, pairs.shape[1]))
    medians = np.median(pairs[:, picks], axis=2)
    low, high = np.quantile(medians[0] / medians[1], [0.025, 0.975])
    medians_now = np.median(pairs, axis=1)
    paired = float(np.median(pairs[0] / pairs[1]))
    return {"ratio": float(medians_now[0] / medians_now[1]), "low": float(low), "high": float(high), "paired": paired}


def report(size: str, device: str, rounds: int) -> dict[str, Any]:
    """Measure everything and return it as one JSON-ready mapping."""
    memory = {}
    for kind in KINDS:
        memory[kind] = peak_memory(kind, size, device)
        gc.collect()
    times = measure_times(size, device, rounds)
    ratios = {
        f"{name}_{clock}": ratio(times[above][clock], times[below][clock])
        for name, above, below in (
            ("time_over_weighted", "blur", "weighted"),
            ("live_reference_over_blur", "live_reference", "blur"),
            ("blur_rmu_over_rmu", "blur_rmu", "rmu"),
        )
        for clock in ("wall", "cpu")
    }
    medians = {kind: {clock: float(np.median(values)) for clock, values in times[kind].items()} for kind in times}
    ratios["memory_over_weighted"] = {"ratio": memory["blur"]["bytes"] / memory["weighted"]["bytes"]}
    return {
        "size": size,
        "parameters": _model(size, "cpu").num_parameters(),
        "tokens": BATCH * TOKENS,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "rounds": rounds,
        "seconds": medians,
        "memory": memory,
        "ratios": ratios,
        "bars": BARS,
    }


def main() -> None:
    """Parse arguments, measure and print size by size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=sorted(SIZES), nargs="+", default=MEASURED)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for size in arguments.size:
        print_report(report(size, arguments.device, arguments.rounds))


def print_report(result: Mapping[str, Any]) -> None:
    """Print a table, and JSON after it."""
    print(f"\n{result['size']}, {result['parameters'] / 1e6:.2f}M parameters, {result['rounds']} rounds")
    print(f"{'variant':16} {'wall ms':>9} {'cpu ms':>9} {'peak MiB':>9} {'models':>6}")
    for kind, seconds in result["seconds"].items():
        memory = result["memory"][kind]
        milliseconds = [f"{1e3 * seconds[clock]:9.1f}" for clock in ("wall", "cpu")]
        print(f"{kind:16} {' '.join(milliseconds)} {memory['bytes'] / 2**20:9.1f} {memory['models']:6}")
    for name, value in result["ratios"].items():
        interval = f" [{value['low']:.3f}, {value['high']:.3f}]  paired {value['paired']:.3f}" if "low" in value else ""
        print(f"{name:30} {value['ratio']:.4f}{interval}")
    print(json.dumps(result))


def _model(size: str, device: str) -> LlamaForCausalLM:
    torch.manual_seed(0)
    shape = {"num_attention_heads": 6, "tie_word_embeddings": True, "max_position_embeddings": TOKENS, **SIZES[size]}
    model: Any = LlamaForCausalLM(LlamaConfig(**shape))
    return model.to(device)


def _streams(vocabulary: int) -> dict[str, list[Example]]:
    generator = torch.Generator().manual_seed(1)

    def text(name: str) -> Example:
        tokens: Tensor = torch.randint(1, vocabulary, (TOKENS,), generator=generator)
        return Example(name, tokens.tolist(), 0)

    return {stream: [text(f"{stream}{number}") for number in range(STREAM)] for stream in ("forget", "retain")}


def _models_alive() -> int:
    gc.collect()
    return sum(isinstance(thing, PreTrainedModel) for thing in gc.get_objects() if type(thing).__name__.endswith("LM"))


if __name__ == "__main__":
    main()
