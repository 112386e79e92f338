"""Options of each figure and table on the made-up results, as a benchmark's YAML gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from blur.report import figures, style
from blur.report.figures.base import FigureBase
from blur.report.runs import Run
from blur.report.settings import TableSettings
from tests.report.made_up import SCALABILITY, SUSTAINABILITY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOFU_METRICS = ["forget_rouge", "forget_probability", "model_utility", "privleak"]
MUSE_METRICS = ["verbmem_f", "knowmem_f", "knowmem_r", "privleak"]
WMDP_METRICS = ["wmdp_bio_acc", "wmdp_cyber_acc", "mmlu_acc"]
CHANCE = dict.fromkeys(WMDP_METRICS, 0.25)
PAIRS = {"blur_npo": "npo_gdr", "blur_rmu": "rmu"}
ARMS = {"quantization": ["int4_channel"]}
COMPARE = ["blur_npo", "blur_npo/reversed", "npo_gdr"]

TOFU: dict[str, dict[str, Any]] = {
    "ablation": {"method": "blur_npo", "parameter": "combine.gamma", "metrics": TOFU_METRICS},
    "alignment": {},
    "claims": {"forget": ["forget_probability"], "utility": "model_utility", "pairs": PAIRS, "arms": ARMS},
    "cosine_npo": {"method": "npo_gdr", "lam": 1.0},
    "front": {"forget": "forget_probability", "utility": "model_utility"},
    "geometry": {"method": "blur_npo"},
    "hierarchy": {"compare": COMPARE, "metrics": TOFU_METRICS},
    "promise": {},
    "quantization": {"attack": "quantization", "forget": ["forget_probability"], "utility": "model_utility"},
    "relearning": {"attack": "relearn", "forget": ["forget_probability"]},
    "requests": {
        "metrics": ["model_utility", "forget_rouge"],
        "scalability": SCALABILITY,
        "sustainability": SUSTAINABILITY,
    },
    "selectivity": {"forget": "forget_probability", "retain": "retain_probability"},
    "survives": {"forget": ["forget_probability"], "utility": "model_utility"},
    "tradeoff": {"forget": ["forget_rouge"], "utility": "model_utility"},
    "trajectories": {"metrics": ["forget_probability", "retain_probability"]},
}
MUSE = TOFU | {
    "ablation": TOFU["ablation"] | {"metrics": MUSE_METRICS},
    "front": {"forget": "knowmem_f", "utility": "knowmem_r"},
    "hierarchy": {"compare": COMPARE, "metrics": MUSE_METRICS},
    "requests": TOFU["requests"] | {"metrics": ["knowmem_r", "verbmem_f", "forget_probability"]},
    "tradeoff": {"forget": ["knowmem_f"], "utility": "knowmem_r"},
    "trajectories": {"metrics": ["verbmem_f", "knowmem_r"]},
    "claims": {"forget": ["verbmem_f", "knowmem_f"], "utility": "knowmem_r", "pairs": PAIRS, "arms": ARMS},
    "quantization": {"attack": "quantization", "forget": ["verbmem_f", "knowmem_f"], "utility": "knowmem_r"},
    "relearning": {"attack": "relearn", "forget": ["verbmem_f", "knowmem_f"]},
    "survives": {"forget": ["verbmem_f", "knowmem_f"], "utility": "knowmem_r"},
}
WMDP = TOFU | {
    "ablation": TOFU["ablation"] | {"metrics": WMDP_METRICS, "chance": CHANCE},
    "front": {"forget": "wmdp_bio_acc", "utility": "mmlu_acc"},
    "geometry": {"method": "blur_rmu"},
    "hierarchy": {"compare": COMPARE, "metrics": WMDP_METRICS, "chance": CHANCE},
    "tradeoff": {"forget": ["wmdp_bio_acc", "wmdp_cyber_acc"], "utility": "mmlu_acc", "chance": CHANCE},
    "trajectories": {"metrics": WMDP_METRICS, "chance": CHANCE},
    "claims": {"forget": ["wmdp_bio_acc", "wmdp_cyber_acc"], "utility": "mmlu_acc", "pairs": PAIRS, "arms": ARMS},
    "quantization": {"attack": "quantization", "forget": ["wmdp_bio_acc", "wmdp_cyber_acc"], "utility": "mmlu_acc"},
    "relearning": {"attack": "relearn", "forget": ["wmdp_bio_acc", "wmdp_cyber_acc"]},
    "survives": {"forget": ["wmdp_bio_acc", "wmdp_cyber_acc"], "utility": "mmlu_acc"},
}
OPTIONS = {"tofu": TOFU, "muse": MUSE, "wmdp": WMDP}

TOFU_TABLE = TableSettings(
    columns=(
        "forget_quality",
        "model_utility",
        "forget_rouge",
        "forget_probability",
        "forget_truth_ratio",
        "privleak",
        "extraction_strength",
        "forget_quality.ks_statistic",
    ),
    utility="model_utility",
    parts=("model_utility",),
    requests=("scal*", "sust*"),
)
MUSE_TABLE = TableSettings(columns=tuple(MUSE_METRICS), utility="knowmem_r", requests=("scal*", "sust*"))
WMDP_TABLE = TableSettings(columns=tuple(WMDP_METRICS), utility="mmlu_acc", parts=("mmlu_acc",), chance=CHANCE)


def made(name: str, bench: str = "tofu", **changes: Any) -> FigureBase:
    """A figure with a benchmark's options."""
    return figures.build(name, OPTIONS[bench][name] | changes)


def data(name: str, runs: Sequence[Run], bench: str = "tofu", **changes: Any) -> list[dict[str, Any]]:
    """Rows of a figure with a benchmark's options."""
    return made(name, bench, **changes).data(runs)


def draw(name: str, runs: Sequence[Run], bench: str = "tofu", **changes: Any) -> Figure:
    """A figure with a benchmark's options, drawn."""
    figure = made(name, bench, **changes)
    with style.context():
        return figure.draw(figure.data(runs), runs, "T")
