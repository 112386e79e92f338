"""Results trees in the contract's formats, of the made-up results of each benchmark, for tables and figures."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

from tests.report.made_up import (
    EPOCHS,
    METHODS,
    MUSE,
    SCALABILITY,
    STEPS,
    SUSTAINABILITY,
    SWEEPS,
    TOFU,
    Benchmark,
    Metrics,
    Place,
)


def settings(method: str, strength: float = 1.0, seed: int = 0, combine: str | None = None) -> dict[str, Any]:
    """Resolved settings as the metrics stage stores them; a matched lambda is not among them."""
    title, forget, retain, usual = METHODS[method]
    name = combine or usual
    return {
        "title": title,
        "family": "blur" if usual == "bilevel" else forget,
        "forget": [{"stream": "forget", "loss": {"name": forget}, "weight": 1.0}],
        "retain": [] if retain == "none" else [{"stream": "retain", "loss": {"name": retain}, "weight": 1.0}],
        "combine": {"name": name, "lam" if name == "weighted" else "gamma": strength},
        "optimizer": {"name": "adamw", "lr": 1e-4},
        "scope": {"name": "all"},
        "epochs": EPOCHS,
        "log_gradients": method == "npo_gdr",
        "seed": seed,
    }


def steps(method: str, gamma: float, random_: random.Random) -> list[dict[str, Any]]:
    """Step records; the cosine is null at the first step, as where a gradient is zero."""
    bilevel = METHODS[method][3] == "bilevel"
    logged = bilevel or method == "npo_gdr"
    records = []
    for step in range(1, STEPS + 1):
        fade = math.exp(-step / 25)
        forget, retain = (8.0 if METHODS[method][1] == "npo" else 2.0) * (0.15 + fade), 1.0 + 3 * (1 - fade)
        cosine = None if step == 1 or not logged else -0.25 * fade + random_.gauss(0, 0.08)
        inner = None if cosine is None else cosine * forget * retain
        xi = gamma - (inner or 0.0) / forget**2 if bilevel else None
        records.append(
            {
                "step": step,
                "epoch": step * EPOCHS / STEPS,
                "lr": 1e-4,
                "forget_loss": -step / 10,
                "retain_loss": fade,
                "forget_norm": forget,
                "retain_norm": retain if logged else None,
                "inner": inner,
                "cosine": cosine,
                "xi": xi,
                "xi_over_gamma": None if xi is None else xi / gamma,
                "update_norm": 1.0,
                "promise": 1e-4 if logged else None,
                "kept": (1e-4 if step % 4 else -1e-4) if logged else None,
                "seconds": 0.1,
            }
        )
    return records


def shifted(place: Place, bench: Benchmark, method: str, strength: float) -> Place:
    """More lambda, or less gamma, keeps more and forgets less."""
    kept = math.log10(strength) * (-1 if METHODS[method][3] == "bilevel" else 1)
    shift = (0.22 if method == "graddiff" else 0.09) * kept
    if bench is TOFU:
        rouge, probability, utility, retain = place
        return max(0.0, rouge + shift), max(0.0, probability + shift / 2), utility + shift / 2, min(1.0, retain + shift)
    return tuple(min(1.0, max(0.0, v + shift)) if abs(v) <= 1 else v for v in place)


def write_run(
    root: Path,
    method: str,
    variant: str,
    seed: int,
    strength: float = 1.0,
    bench: Benchmark = TOFU,
    combine: str | None = None,
    **changes: Any,
) -> Path:
    """Write one run; ``changes`` replace metrics. Returns its metrics folder."""
    random_ = random.Random(f"{method}/{variant}/{seed}")
    reference = method not in METHODS
    place = bench.places[method]
    if strength != 1.0:
        place = shifted(place, bench, method, strength)
    if not reference:
        place = tuple(_noisy(value, random_) for value in place)
    metrics = bench.measure(place)
    about = {name: {"direction": bench.directions.get(name, "lower"), "n": 40, "details": {}} for name in metrics}
    for name, details in bench.details(metrics).items():
        about[name]["details"] = details
    metrics |= changes
    record = {
        "schema_version": 1,
        "task": bench.task,
        "method": method,
        "variant": variant,
        "seed": seed,
        "scale": "small",
        "inputs": {},
        "settings": {} if reference else settings(method, strength, seed, combine),
        "metrics": metrics,
        "about": about,
    }
    path = f"{bench.task}/{method}/{variant}/seed{seed}"
    folder, models = root / "metrics" / path, root / "models" / path
    folder.mkdir(parents=True)
    models.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(record))
    if reference:
        return folder
    (folder / "trajectory.json").write_text(json.dumps({"schema_version": 1, "epochs": _epochs(bench, metrics)}))
    lines = [json.dumps(step) for step in steps(method, strength, random_)]
    (models / "steps.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def _noisy(value: float, random_: random.Random) -> float:
    if abs(value) > 1:
        return value + random_.gauss(0, 4)
    return min(1.0, max(0.0, value + (random_.gauss(0, 0.012) if value > 0 else 0)))


def _epochs(bench: Benchmark, metrics: Metrics) -> list[dict[str, float]]:
    """From the target's values to those at the end, what is forgotten faster than what is kept."""
    target = bench.measure(bench.places["target"])
    records = []
    for epoch in range(EPOCHS + 1):
        share = epoch / EPOCHS
        powers = {key: 1.0 if bench.directions.get(key) == "higher" else 0.5 for key in bench.epochs}
        values = {key: target[key] + (metrics[key] - target[key]) * share ** powers[key] for key in bench.epochs}
        records.append({"epoch": epoch, **values})
    return records


def write_all(root: Path, seeds: tuple[int, ...] = (0, 1, 2), bench: Benchmark = TOFU) -> Path:
    """Write references, every method, three sweeps, the matched lambda, the reversed hierarchy.

    Returns:
        Its metrics folder.
    """
    for method in ("target", "retrained"):
        write_run(root, method, "default", 0, bench=bench)
    for seed in seeds:
        for method in (method for method in METHODS if method in bench.places):
            write_run(root, method, "default", seed, bench=bench)
        for method, (name, strengths) in SWEEPS.items():
            for strength in strengths:
                write_run(root, method, f"{name}{strength:g}", seed, strength, bench)
        write_run(root, "npo_gdr", "matched", seed, bench=bench)
        write_run(root, "npo_gdr", "matched_gamma4", seed, bench=bench)
        write_run(root, "blur_npo", "reversed", seed, bench=bench, combine="reversed")
    return root / "metrics"


def write_requests(root: Path, seeds: tuple[int, ...] = (0, 1), bench: Benchmark = MUSE) -> Path:
    """Write growing and repeated requests of three methods: each takes some of what is kept. Returns its folder."""
    for method in ("graddiff", "npo_gdr", "blur_npo"):
        for seed in seeds:
            for variants, cost in ((SCALABILITY, 0.05), (SUSTAINABILITY, 0.12)):
                for number, variant in enumerate(variants):
                    kept = bench.places[method][bench.keeps] - cost * number + 0.01 * seed
                    write_run(root, method, variant, seed, bench=bench, knowmem_r=max(0.0, kept))
    return root / "metrics"
