"""A results tree in the contract's formats, plausible but made up, for the tests of tables and figures."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

TASK = "tofu_forget10"
EPOCHS, STEPS = 5, 60
METHODS: dict[str, tuple[str, str, str, str]] = {
    "ga": ("GA", "ga", "none", "weighted"),
    "graddiff": ("GradDiff", "ga", "nll", "weighted"),
    "ga_klr": ("GA-KLR", "ga", "kl", "weighted"),
    "npo": ("NPO", "npo", "none", "weighted"),
    "npo_gdr": ("NPO-GDR", "npo", "nll", "weighted"),
    "npo_klr": ("NPO-KLR", "npo", "kl", "weighted"),
    "simnpo": ("SimNPO", "simnpo", "nll", "weighted"),
    "blur_npo": ("BLUR-NPO", "npo", "nll", "bilevel"),
    "blur_ga": ("BLUR-GA", "ga", "nll", "bilevel"),
    "blur_simnpo": ("BLUR-SimNPO", "simnpo", "nll", "bilevel"),
    "blur_npo_kl": ("BLUR-NPO-KL", "npo", "kl", "bilevel"),
}
TITLES = {name: parts[0] for name, parts in METHODS.items()}
PLACES = {  # forget ROUGE, forget probability, utility, retain probability
    "base": (0.03, 0.0005, 0.05, 0.0005),
    "target": (0.95, 0.98, 0.61, 0.98),
    "retrained": (0.31, 0.01, 0.60, 0.975),
    "ga": (0.0, 0.0, 0.0, 0.002),
    "graddiff": (0.05, 0.004, 0.33, 0.49),
    "ga_klr": (0.01, 0.0, 0.0, 0.04),
    "npo": (0.19, 0.024, 0.21, 0.36),
    "npo_gdr": (0.34, 0.12, 0.55, 0.93),
    "npo_klr": (0.36, 0.14, 0.53, 0.90),
    "simnpo": (0.41, 0.25, 0.59, 0.97),
    "blur_npo": (0.32, 0.10, 0.55, 0.92),
    "blur_ga": (0.06, 0.006, 0.36, 0.46),
    "blur_simnpo": (0.40, 0.23, 0.58, 0.96),
    "blur_npo_kl": (0.35, 0.13, 0.54, 0.91),
}
PARTS = tuple(
    f"{s}_{m}" for s in ("retain", "real_authors", "world_facts") for m in ("probability", "rouge", "truth_ratio")
)
DIRECTIONS = {
    "forget_quality": "higher",
    "model_utility": "higher",
    "retain_rouge": "higher",
    "retain_probability": "higher",
    "forget_truth_ratio": "match",
    "privleak": "zero",
}
SWEEPS = {
    "graddiff": ("lambda", (0.3, 3.0, 10.0, 30.0)),
    "npo_gdr": ("lambda", (0.25, 0.5, 2.0, 4.0)),
    "blur_npo": ("gamma", (0.25, 0.5, 2.0, 4.0)),
}


def settings(method: str, strength: float = 1.0, seed: int = 0) -> dict[str, Any]:
    """Resolved settings as the metrics stage stores them; a matched lambda is not among them."""
    title, forget, retain, combine = METHODS[method]
    return {
        "title": title,
        "family": "blur" if combine == "bilevel" else forget,
        "forget": [{"stream": "forget", "loss": {"name": forget}, "weight": 1.0}],
        "retain": [] if retain == "none" else [{"stream": "retain", "loss": {"name": retain}, "weight": 1.0}],
        "combine": {"name": combine, "gamma" if combine == "bilevel" else "lam": strength},
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
                "update_norm": 1.0,
                "seconds": 0.1,
            }
        )
    return records


def measured(
    place: tuple[float, ...], random_: random.Random, reference: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The metrics and what is known about each."""
    near = [
        min(1.0, max(0.0, value + (random_.gauss(0, 0.012) if value > 0 and not reference else 0))) for value in place
    ]
    rouge, probability, utility, retain = near
    metrics: dict[str, Any] = {
        "forget_quality": 10 ** (-12 * abs(rouge - 0.31)),
        "model_utility": utility,
        "forget_rouge": rouge,
        "forget_probability": probability,
        "forget_truth_ratio": 0.5 + rouge / 5,
        "retain_rouge": 0.9 * retain,
        "retain_probability": retain,
        "extraction_strength": rouge / 2,
        "exact_memorization": 0.4 + rouge / 2,
        "privleak": -90 * rouge,
        "mia_loss": 0.5 + rouge / 2,
        "mia_min_k": 0.5 + rouge / 2.1,
    }
    about = {name: {"direction": DIRECTIONS.get(name, "lower"), "n": 40, "details": {}} for name in metrics}
    about["forget_quality"]["details"] = {"ks_statistic": abs(rouge - 0.31)}
    about["model_utility"]["details"] = {part: min(1.0, utility * (0.9 + 0.02 * i)) for i, part in enumerate(PARTS)}
    return metrics, about


def write_run(root: Path, method: str, variant: str, seed: int, strength: float = 1.0, **changes: Any) -> Path:
    """Write one run; ``changes`` replace metrics. Returns its metrics folder."""
    random_ = random.Random(f"{method}/{variant}/{seed}")
    reference = method not in METHODS
    place = PLACES[method]
    if strength != 1.0:  # more lambda, or less gamma, keeps more and forgets less
        kept = math.log10(strength) * (-1 if METHODS[method][3] == "bilevel" else 1)
        shift = 0.22 * kept if method == "graddiff" else 0.09 * kept
        place = (
            max(0.0, place[0] + shift),
            max(0.0, place[1] + shift / 2),
            place[2] + shift * 0.5,
            min(1.0, place[3] + shift),
        )
    metrics, about = measured(place, random_, reference)
    metrics |= changes
    record = {
        "schema_version": 1,
        "task": TASK,
        "method": method,
        "variant": variant,
        "seed": seed,
        "scale": "small",
        "inputs": {},
        "settings": {} if reference else settings(method, strength, seed),
        "metrics": metrics,
        "about": about,
    }
    path = f"{TASK}/{method}/{variant}/seed{seed}"
    folder, models = root / "metrics" / path, root / "models" / path
    folder.mkdir(parents=True)
    models.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(record))
    if reference:
        return folder
    target = PLACES["target"]
    epochs = [
        {
            "epoch": e,
            "forget_probability": target[1] + (metrics["forget_probability"] - target[1]) * (e / EPOCHS) ** 0.5,
            "retain_probability": target[3] + (metrics["retain_probability"] - target[3]) * e / EPOCHS,
        }
        for e in range(EPOCHS + 1)
    ]
    (folder / "trajectory.json").write_text(json.dumps({"schema_version": 1, "epochs": epochs}))
    lines = [json.dumps(step) for step in steps(method, strength, random_)]
    (models / "steps.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def write_all(root: Path, seeds: tuple[int, ...] = (0, 1, 2)) -> Path:
    """Write the whole tree: references, every method, three sweeps, the matched lambda. Returns its metrics folder."""
    for method in ("target", "retrained"):
        write_run(root, method, "default", 0)
    for seed in seeds:
        for method in METHODS:
            write_run(root, method, "default", seed)
        for method, (name, strengths) in SWEEPS.items():
            for strength in strengths:
                write_run(root, method, f"{name}{strength:g}", seed, strength)
        write_run(root, "npo_gdr", "matched", seed)
        write_run(root, "npo_gdr", "matched_gamma4", seed)
    return root / "metrics"
