"""Audit: this package's metrics on the per-item logs that TOFU published, no model needed.

    python -m blur.metrics.tofu_logs MODEL.json RETAIN.json

The files are ``eval_log_aggregated.json`` of locuslab/tofu (``data/*/eval_results/ds_size300/``), of a model and of
the model trained on the retain set only. They become ``Measurements`` and go through the same ``compute_all`` as any
other model.

How the logs are read: the keys ``avg_*_loss`` are mean token losses with the end-of-sequence token, so each text
becomes one token of that log-probability; ``generated_text`` is [prompt, generated, true answer], from which ROUGE is
computed again; the "paraphrase" of real authors and world facts is the plain answer, scored in another batch; their
``truth_ratio`` is true / false, the inverse of ours, and is not read. Each set has at most 300 items.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from blur.core.errors import BlurError, DataError
from blur.core.files import read_json
from blur.measurements import GenerationRow, LikelihoodRow, Measurements
from blur.metrics.kinds.base import Outcome
from blur.metrics.specs import compute_all

FILES = {
    "eval_forget": "eval_log_forget.json",
    "eval_retain": "eval_log.json",
    "real_authors": "eval_real_author_wo_options.json",
    "world_facts": "eval_real_world_wo_options.json",
}
LOSSES = {
    "answer": "avg_gt_loss",
    "paraphrased_answer": "avg_paraphrased_loss",
    "perturbed_answer": "average_perturb_loss",
}
USAGE = "usage: python -m blur.metrics.tofu_logs MODEL.json RETAIN.json"


def specs() -> list[dict[str, Any]]:
    """Return TOFU's metrics: three per set, model utility of nine, forget quality."""
    parts: list[dict[str, Any]] = []
    for name in FILES:
        prefix, trained = name.removeprefix("eval_"), name.startswith("eval_")
        probability = "probability" if trained else "probability_with_options"
        ratio = {"truth": "paraphrased_answer", "aggregate": "closeness" if prefix == "forget" else "utility"}
        parts += [
            {"name": f"{prefix}_probability", "metric": probability, "set": name},
            {"name": f"{prefix}_rouge", "metric": "rouge_l_recall", "set": name},
            {"name": f"{prefix}_truth_ratio", "metric": "truth_ratio", "set": name, **ratio},
        ]
    nine = [part["name"] for part in parts if part["set"] != "eval_forget"]
    return [
        *parts,
        {"name": "model_utility", "metric": "harmonic_mean", "of": nine},
        {"name": "forget_quality", "metric": "forget_quality", "set": "eval_forget", "truth": "paraphrased_answer"},
    ]


def read_log(record: Mapping[str, Any], where: str) -> Measurements:
    """Turn one aggregated log into measurements; ``DataError`` naming the key where one is missing."""
    likelihood: list[LikelihoodRow] = []
    generations: list[GenerationRow] = []
    for name, file in FILES.items():
        try:
            log = record[file]
            for field, key in LOSSES.items():
                likelihood += [row for item, losses in log[key].items() for row in _texts(name, item, field, losses)]
            generations += [_generation(name, item, texts) for item, texts in log["generated_text"].items()]
        except KeyError as error:
            what = f"{file} has no key {error}" if file in record else f"no {file}"
            raise DataError(what, where, "use an eval_log_aggregated.json of locuslab/tofu") from error
    return Measurements(likelihood, generations, where=where)


def _texts(name: str, item: str, field: str, losses: float | Sequence[float]) -> list[LikelihoodRow]:
    several = losses if isinstance(losses, Sequence) else [losses]
    return [
        LikelihoodRow(name, item, field, index, "", [-loss], [False], [0.0], [0.0], has_eos=False)
        for index, loss in enumerate(several)
    ]


def _generation(name: str, item: str, texts: Sequence[str]) -> GenerationRow:
    prompt, generated, reference = texts
    return GenerationRow(name, item, prompt, reference, generated, num_tokens=0, finished=True)


def audit(model_path: str, retain_path: str) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
    """Return the metrics of both models, each against the retain-only one."""
    model, retain = (read_log(read_json(path), path) for path in (model_path, retain_path))
    references = {"retrained": retain}
    return compute_all(specs(), model, references), compute_all(specs(), retain, references)


def table(model: Mapping[str, Outcome], retain: Mapping[str, Outcome]) -> str:
    """Return the metrics of both models as text, one line per metric."""
    lines = [f"{'metric':<26} {'model':>12} {'retain only':>12} {'n':>5}"]
    for name, metric in model.items():
        values = ["n/a" if one.value is None else f"{one.value:.4g}" for one in (metric, retain[name])]
        lines.append(f"{name:<26} {values[0]:>12} {values[1]:>12} {metric.n:>5}")
    distances = [f"{one['forget_quality'].details['ks_statistic']:.4f}" for one in (model, retain)]
    return "\n".join([*lines, f"{'ks_statistic':<26} {distances[0]:>12} {distances[1]:>12}"])


def main(arguments: Sequence[str]) -> int:
    """Print the table for two log files; return the exit status."""
    if len(arguments) != 2 or arguments[0].startswith("-"):
        print(__doc__ if set(arguments) & {"-h", "--help"} else USAGE)
        return 0 if set(arguments) & {"-h", "--help"} else 2
    try:
        print(table(*audit(*arguments)))
    except (BlurError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
