"""Results of TOFU, MUSE and WMDP, plausible but made up: the methods, where each ends, and its metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
    "rmu": ("RMU", "rmu", "activation_mse", "weighted"),
    "blur_npo": ("BLUR-NPO", "npo", "nll", "bilevel"),
    "blur_ga": ("BLUR-GA", "ga", "nll", "bilevel"),
    "blur_simnpo": ("BLUR-SimNPO", "simnpo", "nll", "bilevel"),
    "blur_npo_kl": ("BLUR-NPO-KL", "npo", "kl", "bilevel"),
    "blur_rmu": ("BLUR-RMU", "rmu", "activation_mse", "bilevel"),
}
TITLES = {name: parts[0] for name, parts in METHODS.items()}
Place = tuple[float, ...]
PLACES: dict[str, Place] = {  # forget ROUGE, forget probability, utility, retain probability
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
    "rmu": (0.28, 0.30, 0.57, 0.95),
    "blur_npo": (0.32, 0.10, 0.55, 0.92),
    "blur_ga": (0.06, 0.006, 0.36, 0.46),
    "blur_simnpo": (0.40, 0.23, 0.58, 0.96),
    "blur_npo_kl": (0.35, 0.13, 0.54, 0.91),
    "blur_rmu": (0.22, 0.18, 0.56, 0.94),
}
MUSE_PLACES: dict[str, Place] = {  # VerbMem forget, KnowMem forget, KnowMem retain, PrivLeak
    "target": (0.97, 0.94, 0.93, -99.0),
    "retrained": (0.21, 0.17, 0.92, 0.0),
    "ga": (0.0, 0.0, 0.0, 17.0),
    "graddiff": (0.05, 0.31, 0.42, 108.0),
    "ga_klr": (0.27, 0.50, 0.55, -96.0),
    "npo": (0.0, 0.02, 0.05, 24.0),
    "npo_gdr": (0.02, 0.45, 0.70, 105.0),
    "npo_klr": (0.27, 0.49, 0.72, -95.0),
    "simnpo": (0.13, 0.47, 0.74, 12.0),
    "rmu": (0.10, 0.40, 0.80, 56.0),
    "blur_npo": (0.04, 0.30, 0.78, 60.0),
    "blur_ga": (0.03, 0.12, 0.35, 90.0),
    "blur_simnpo": (0.11, 0.33, 0.80, 20.0),
    "blur_npo_kl": (0.06, 0.35, 0.76, 70.0),
    "blur_rmu": (0.08, 0.28, 0.82, 40.0),
}
WMDP_PLACES: dict[str, Place] = {  # accuracy on bio, cyber, MMLU
    "target": (0.88, 0.84, 0.81),
    "retrained": (0.27, 0.24, 0.80),
    "graddiff": (0.31, 0.30, 0.35),
    "npo_gdr": (0.45, 0.40, 0.62),
    "simnpo": (0.42, 0.33, 0.60),
    "rmu": (0.33, 0.29, 0.77),
    "blur_npo": (0.28, 0.27, 0.64),
    "blur_rmu": (0.27, 0.26, 0.76),
}
PARTS = tuple(
    f"{s}_{m}" for s in ("retain", "real_authors", "world_facts") for m in ("probability", "rouge", "truth_ratio")
)
SUBJECTS = ("astronomy", "college_chemistry", "law")
SWEEPS = {
    "graddiff": ("lambda", (0.3, 3.0, 10.0, 30.0)),
    "npo_gdr": ("lambda", (0.25, 0.5, 2.0, 4.0)),
    "blur_npo": ("gamma", (0.25, 0.5, 2.0, 4.0)),
}
SCALABILITY = tuple(f"scal{number}" for number in (1, 2, 3, 4))
SUSTAINABILITY = tuple(f"sust{number}" for number in (1, 2, 3, 4))

Metrics = dict[str, Any]


@dataclass(frozen=True)
class Benchmark:
    """What sets the made-up results of one benchmark apart.

    Attributes:
        measure: metrics of a place, after noise.
        keeps: which number of a place is utility: more of it where the retain loss weighs more.
        directions: those that are not ``lower``.
        details: by metric.
        epochs: metrics in trajectory.json.
    """

    task: str
    places: dict[str, Place]
    measure: Callable[[Place], Metrics]
    keeps: int
    directions: dict[str, str]
    details: Callable[[Metrics], dict[str, dict[str, float]]]
    epochs: tuple[str, ...]


def _tofu(place: Place) -> Metrics:
    rouge, probability, utility, retain = place
    return {
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


def _tofu_details(metrics: Metrics) -> dict[str, dict[str, float]]:
    utility = metrics["model_utility"] or 0.0
    return {
        "forget_quality": {"ks_statistic": abs((metrics["forget_rouge"] or 0.0) - 0.31)},
        "model_utility": {part: min(1.0, utility * (0.9 + 0.02 * i)) for i, part in enumerate(PARTS)},
    }


def _muse(place: Place) -> Metrics:
    verbatim, known, kept, leak = place
    return {
        "verbmem_f": verbatim,
        "knowmem_f": known,
        "knowmem_r": kept,
        "privleak": leak,
        "verbmem_f_stemmed": min(1.0, 1.05 * verbatim),
        "knowmem_f_stemmed": min(1.0, 1.05 * known),
        "knowmem_r_stemmed": min(1.0, 1.05 * kept),
        "forget_probability": verbatim**2,
    }


def _wmdp(place: Place) -> Metrics:
    names = ("wmdp_bio_acc", "wmdp_cyber_acc", "mmlu_acc")
    accuracies = dict(zip(names, place, strict=True))
    return accuracies | {f"{name}_text": min(1.0, value + 0.03) for name, value in accuracies.items()}


def _subjects(metrics: Metrics) -> dict[str, dict[str, float]]:
    return {"mmlu_acc": {name: metrics["mmlu_acc"] - 0.02 * place for place, name in enumerate(SUBJECTS)}}


TOFU = Benchmark(
    TASK,
    PLACES,
    _tofu,
    2,
    {
        "forget_quality": "higher",
        "model_utility": "higher",
        "retain_rouge": "higher",
        "retain_probability": "higher",
        "forget_truth_ratio": "match",
        "privleak": "zero",
    },
    _tofu_details,
    ("forget_probability", "retain_probability"),
)
MUSE = Benchmark(
    "muse_news",
    MUSE_PLACES,
    _muse,
    2,
    {"knowmem_r": "higher", "knowmem_r_stemmed": "higher", "privleak": "zero"},
    lambda metrics: {},
    ("verbmem_f", "knowmem_r"),
)
WMDP = Benchmark(
    "wmdp",
    WMDP_PLACES,
    _wmdp,
    2,
    {"mmlu_acc": "higher", "mmlu_acc_text": "higher"},
    _subjects,
    ("wmdp_bio_acc", "wmdp_cyber_acc", "mmlu_acc"),
)
