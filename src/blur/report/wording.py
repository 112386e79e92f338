"""How metrics are called, and which way each is better."""

from __future__ import annotations

from collections.abc import Iterable

from blur.report.runs import Run
from blur.report.summary import Summary

HUGE = 1e5  # from here on by exponent: a collapsed model's perplexity has dozens of digits
UNITS = {"privleak": "%"}  # of metrics that are not between 0 and 1
WORDS = {
    "rouge": "ROUGE-L",
    "mia": "MIA",
    "auc": "AUC",
    "ks": "KS",
    "zlib": "zlib",
    "min": "Min",
    "k": "K",
    "privleak": "PrivLeak",
    "verbmem": "VerbMem",
    "knowmem": "KnowMem",
    "wmdp": "WMDP",
    "mmlu": "MMLU",
    "acc": "accuracy",
}
QUALIFIERS = {"f": "forget", "r": "retain", "stemmed": "stemmed", "text": "by text", "letter": "by letter"}
STRENGTHS = {"bilevel": "γ", "reversed": "γ", "weighted": "λ"}  # by combination, its number
BETTER = {
    "higher": "higher is better",
    "lower": "lower is better",
    "zero": "nearest 0 is best",
    "match": "nearest retrained is best",
}


def label(metric: str) -> str:
    """Return a metric's name as a reader writes it, with its unit where it has one, for example ``Forget ROUGE-L``.

    What tells two of a kind apart stands in brackets: ``verbmem_f_stemmed`` is ``VerbMem (forget, stemmed)``.
    """
    first, *others = metric.rpartition(".")[2].split("_")
    words = [WORDS.get(first, first.capitalize())]
    words += [WORDS.get(part, part) for part in others if part not in QUALIFIERS]
    apart = [QUALIFIERS[part] for part in others if part in QUALIFIERS] + [UNITS[u] for u in UNITS if u == metric]
    return " ".join(words) + (f" ({', '.join(apart)})" if apart else "")


def in_sentence(metric: str) -> str:
    """Return a metric's label as it stands within a sentence: in lower case, but for names such as ``PrivLeak``."""
    text = label(metric)
    first = text.split()[0]
    return text[:1].lower() + text[1:] if first[1:] == first[1:].lower() else text


def better(runs: Iterable[Run], metric: str) -> str:
    """Return which way a metric is better, in brackets, as its results say; empty where they do not."""
    found = (run.about.get(metric, {}).get("direction") for run in runs)
    direction = next((one for one in found if one), "")
    return f"({BETTER[direction]})" if direction in BETTER else ""


def is_p_value(metric: str) -> bool:
    """Whether a metric is a p-value, which is told apart by its exponent and has no symmetric interval."""
    return metric.endswith(("forget_quality", "p_value"))


def spread(summary: Summary, metric: str, digits: int) -> str:
    """Return a mean as tables show it, with half the width of its interval where there is one; empty without a mean."""
    if summary.mean is None:
        return ""
    if is_p_value(metric):
        return f"{summary.mean:.2e}"
    form = ".2e" if abs(summary.mean) >= HUGE else f".{digits}f"
    return f"{summary.mean:{form}}" + (f" ± {summary.half:{form}}" if summary.half is not None else "")


def signed(difference: Summary) -> str:
    """Return a difference with its sign and, where there is one, its interval."""
    known = [value for value in (difference.mean, difference.low, difference.high) if value is not None]
    largest = max(map(abs, known))
    form = "+.1e" if largest >= HUGE else ("+.1f" if largest >= 10 else "+.3f")
    mean, *span = (f"{value:{form}}".replace("-", "−") for value in known)
    return mean + (f" [{', '.join(span)}]" if span else "")
