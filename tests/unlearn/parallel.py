"""Runs of five steps in one process and in two (gloo), by sums over whole gradients and by FSDP2."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from blur.unlearn.gradients import take
from blur.unlearn.loop import TrainResult, train
from blur.unlearn.references import reference_sums
from blur.unlearn.settings import UnlearnSettings
from blur.unlearn.step import Updater
from tests.unlearn.support import VOCAB, flat, paired, streams, tiny_model

Settings = dict[str, Any]
STREAMS = {**streams(9, 13), "forget": paired(streams(9, 13)["forget"])}
TOPICAL = {
    "forget": [replace(text, topic="bio" if number < 5 else "cyber") for number, text in enumerate(STREAMS["forget"])],
    "retain": STREAMS["retain"],
}
RMU = {"forget": [{"loss": {"name": "rmu", "layer": 0, "coefficient": 6.5}}]}
RMU |= {"retain": [{"loss": {"name": "activation_mse", "layer": 0}}]}
METHODS: dict[str, Settings] = {
    "blur_npo": {"forget": [{"loss": "npo"}], "retain": [{"loss": "nll"}], "combine": "bilevel"},
    "graddiff": {"forget": [{"loss": "ga"}], "retain": [{"loss": "nll"}], "max_grad_norm": 0.5},
    "npo_klr": {"forget": [{"loss": "npo"}], "retain": [{"loss": "kl"}]},
    "blur_rmu": {**RMU, "combine": {"name": "bilevel", "gamma": 0.5}},
}
OPTIMIZERS: dict[str, Settings] = {"adamw": {"name": "adamw", "lr": 1e-3}, "sgd": {"name": "sgd", "lr": 1e-2}}
DTYPES = {"double": torch.float64, "single": torch.float32}
ACCUMULATIONS = (1, 4)
# The bias of keys has no gradient but rounding (1e-17), of which AdamW makes whole steps (1e-17 / eps is the bar).
WITHOUT_KEY_BIAS = {"name": "modules", "patterns": [r"^(?!.*c_attn\.bias$)"]}
Model = Callable[[int], nn.Module]
# The two processes are forked from one that has imported this once for all tests; a run of pytest has one such server.
PRELOADED = ["blur.unlearn.loop", "transformers.models.gpt2.modeling_gpt2", "transformers.models.llama.modeling_llama"]


def tiny_llama(seed: int) -> nn.Module:
    """A Llama for float32. Its norms and rotary angles are float32 always, so that in float64 there is a GPT-2."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        hidden_size=24,
        num_hidden_layers=2,
        intermediate_size=40,
        vocab_size=VOCAB,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        initializer_range=0.3,
    )
    model: Any = LlamaForCausalLM(config)
    return model.eval()


def model_of(dtype: str, seed: int) -> nn.Module:
    if dtype == "double":
        return tiny_model(seed)
    return tiny_llama(seed).bfloat16() if dtype == "half" else tiny_llama(seed)


@cache
def known_sums(dtype: str) -> dict[str, float]:
    return reference_sums(model_of(dtype, 5), STREAMS["forget"])


def run(method: Settings, dtype: str = "double", **others: Any) -> TrainResult:
    """A run of a method; batches of 5 leave some of 2 processes' 8 micro-batches without an example."""
    options = {
        name: others.pop(name) for name in ("sharded", "checkpoint_dir", "on_step", "on_epoch_end") if name in others
    }
    value = {"optimizer": OPTIMIZERS["adamw"], "batch_size": 5, "steps": 5, **method, **others}
    if dtype == "double":
        value.setdefault("scope", "all" if "wrapper" in value else WITHOUT_KEY_BIAS)
    settings = UnlearnSettings.model_validate(value)
    texts = TOPICAL if "reference_hidden" in settings.needs else STREAMS
    return train(
        model_of(dtype, 0),
        texts,
        settings,
        reference_sums=known_sums(dtype),
        reference_model=model_of(dtype, 5).requires_grad_(False),
        **options,
    )


def moved(result: TrainResult, dtype: str = "double") -> Tensor:
    """Weights after minus weights before, of the parameters of one model, as one vector in float64."""
    after, before = flat(result.model.parameters()).double(), flat(model_of(dtype, 0).parameters()).double()
    return after - before


def distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / one.norm())


def grid() -> Iterator[tuple[str, str, str, int]]:
    """Method, optimizer, type and accumulation, each with each."""
    yield from product(METHODS, OPTIMIZERS, DTYPES, ACCUMULATIONS)


FEW = [case for case in grid() if case[0] == "blur_npo" or (case[1] == "adamw" and case[2:] != ("single", 4))]


@contextmanager
def only_last_micro_batch_counts() -> Iterator[None]:
    """A fault of BLUR's TOFU code: what earlier micro-batches gave is thrown away."""
    right = Updater._micro_batch

    def wrong(self: Updater, *args: Any) -> Tensor:
        take(self.parameters)
        return right(self, *args)

    Updater._micro_batch = wrong  # type: ignore[method-assign]
    try:
        yield
    finally:
        Updater._micro_batch = right  # type: ignore[method-assign]


def in_two_processes(work: Callable[[Path], dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Call ``work`` in two processes of one group; return what each gave."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mp.get_context("forkserver").set_forkserver_preload(PRELOADED)
    mp.start_processes(_work, (work, port, str(folder)), nprocs=2, start_method="forkserver")
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


def _work(rank: int, work: Callable[[Path], dict[str, Any]], port: int, folder: str) -> None:
    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{port}"
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2, timeout=timedelta(minutes=5))
    torch.save(work(Path(folder)), f"{folder}/rank{rank}.pt")
    dist.destroy_process_group()
