"""Defaults from model and data: learning rate, number of updates, and how to train within the memory there is."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blur.core.errors import ConfigError
from blur.owner.search import TRIALS
from blur.planner.activations import Tokens
from blur.planner.architecture import from_fields
from blur.planner.memory import Job, Layout, plan_memory
from blur.planner.trainable import Trained
from blur.unlearn.settings import UnlearnSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from blur.models.encode import Example

BATCH = 8
LORA = {"name": "lora", "rank": 8, "alpha": 16}
ADAPTER_RATE = 5.0  # times the rate of all weights
FORGETTING = 0.2  # the promised fall of the forget loss, nats a token, beside the gradient of a kept token
SPARE = 0.85  # share of the free memory that may be planned for
_EPOCHS, _LEAST, _MOST = 6, 60, 400  # updates of a trial: so many passes, within these bounds


@dataclass(frozen=True)
class Way:
    """How the model is trained: all weights or adapters, in micro-batches of ``micro``, by bytes at the peak."""

    lora: bool
    micro: int
    checkpointing: bool
    peak: float

    @property
    def told(self) -> str:
        """In words."""
        what = "low-rank adapters, merged into the weights at the end" if self.lora else "all weights"
        recomputed = ", activations computed twice" if self.checkpointing else ""
        return f"{what}; micro-batches of {self.micro}{recomputed}; {self.peak / 2**20:,.0f} MiB at the peak"


def rate_for(parameters: int, lora: bool) -> float:
    """Return the learning rate to begin with: 1e-5 at 7 billion weights, by the square root of their number."""
    rate = min(max(1e-5 * (7e9 / parameters) ** 0.5, 1e-5), 1e-3)
    return rate * ADAPTER_RATE if lora else rate


def updates_for(texts: int) -> int:
    """Return the updates of all trials together, where no budget is given."""
    return TRIALS * min(max(_EPOCHS * -(-texts // BATCH), _LEAST), _MOST)


def settings_for(
    model: PreTrainedModel, forget: Sequence[Example], rate: float, steps: int, way: Way, seed: int
) -> UnlearnSettings:
    """Return BLUR-NPO without momentum, which alone keeps the promise of its projection (docs/methods.md).

    NPO adds up the tokens of a text, and the loss of kept texts is a mean over tokens: ``gamma`` brings the two to one
    unit, and to a fifth of it on the forget side, so that keeping comes in time (docs/forget.md has the figures).

    Args:
        forget: what is to be forgotten.
        rate: learning rate.
        steps: updates of a trial.
    """
    batch = min(BATCH, len(forget))
    tokens = sum(len(example.scored) for example in forget) / len(forget)
    told: dict[str, Any] = {
        "forget": [{"loss": {"name": "npo", "beta": 0.1}}],
        "retain": [{"loss": "nll"}],
        "combine": {"name": "bilevel", "gamma": FORGETTING / tokens, "momentum": "none"},
        "optimizer": {"name": "adamw", "lr": rate},
        "batch_size": batch,
        "accumulation": -(-batch // way.micro),
        "steps": steps,
        "seed": seed,
        "gradient_checkpointing": way.checkpointing,
        "master_weights": str(model.dtype) != "torch.float32",
        **({"wrapper": LORA} if way.lora else {}),
    }
    return UnlearnSettings.model_validate(told)


def way_for(model: PreTrainedModel, streams: Mapping[str, Sequence[Example]], device: str) -> Way:
    """Return the first way whose memory is there: all weights, then adapters; with ever smaller micro-batches.

    Raises:
        ConfigError: none is; names what the smallest needs and what there is.
    """
    free = free_memory(device)
    least = None
    for way in _ways(model, streams, device):
        if way.peak <= SPARE * free:
            return way
        least = way if least is None or way.peak < least.peak else least
    assert least is not None
    what = f"{least.peak / 2**30:.1f} GiB are needed at least, and {free / 2**30:.1f} are free"
    raise ConfigError(what, f"memory of {device}", "Free some, shorten the texts, or take a larger machine")


def _ways(model: PreTrainedModel, streams: Mapping[str, Sequence[Example]], device: str) -> Iterator[Way]:
    architecture = from_fields(model.config.to_dict(), "config.json")
    held = model.num_parameters() * model.dtype.itemsize  # is there already, and is counted by the planner again
    batch = min(BATCH, len(streams["forget"]))
    sizes = [(batch, False), *((size, True) for size in (batch, 1) if size <= batch)]
    for lora in (False, True):
        for micro, checkpointing in dict.fromkeys(sizes):
            way = Way(lora, micro, checkpointing, 0.0)
            settings = settings_for(model, streams["forget"], 1e-5, 1, way, 0)
            trained = Trained(architecture, settings, model.dtype.itemsize, settings.master_weights)
            tokens = {name: _largest(examples, micro) for name, examples in streams.items()}
            layout = Layout(device="cuda" if device.startswith("cuda") else "cpu")
            needed = plan_memory(Job(trained, tokens, settings.accumulation, layout)).peak.total - held
            copy = 0 if device.startswith("cuda") else held  # the start of each trial is kept on the CPU
            yield Way(lora, micro, checkpointing, needed + copy)


def _largest(examples: Sequence[Example], micro: int) -> Tokens:
    longest = max(len(example.input_ids) for example in examples)
    scored = max(len(example.scored) for example in examples)
    return Tokens(micro, longest, micro * scored, micro > 1)


def free_memory(device: str) -> int:
    """Return the bytes that are free on a device; on a CPU within the limits of the process and its control group."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info(device)[0]
    free = [os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    info = Path("/proc/meminfo")
    if info.is_file():
        told = dict(line.split(":", 1) for line in info.read_text().splitlines())
        free = [int(told["MemAvailable"].split()[0]) * 1024]
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and (most := limit.read_text().strip()).isdigit():
        free.append(int(most) - int(used.read_text()))
    if (own := resource.getrlimit(resource.RLIMIT_AS)[0]) != resource.RLIM_INFINITY:
        free.append(own)
    return max(min(free), 0)
