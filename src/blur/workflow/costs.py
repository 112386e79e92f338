"""What a run of the graph cost, from the manifests and from Snakemake's records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from blur.core import manifest as manifests
from blur.core.files import read_json
from blur.core.manifest import NAME as MANIFEST
from blur.core.manifest import made
from blur.core.paths import provenance_file
from blur.report.runs import Run, by_method


@dataclass
class Cost:
    """Jobs of one rule: their number, wall and processor seconds, and the largest memory of one of them in bytes."""

    num_jobs: int = 0
    wall_seconds: float = 0.0
    cpu_seconds: float | None = 0.0
    peak_memory_bytes: int = 0


def costs(scale: str) -> tuple[dict[str, Cost], float]:
    """Return the cost by rule of the jobs whose outputs are here, and the seconds from first start to last end.

    Wall time is Snakemake's, start-up included; processor time and memory are the stage's own, and None for rules of
    which a job does not tell.
    """
    by_rule: dict[str, Cost] = defaultdict(Cost)
    starts, ends = [], []
    for output, record in _jobs(scale):
        starts.append(record["starttime"])
        ends.append(record["endtime"])
        _add(by_rule[record["rule"]], Path(output).parent, record["endtime"] - record["starttime"])
    return dict(by_rule), (max(ends) - min(starts) if starts else 0.0)


def seconds_by_rule(scale: str) -> dict[str, float]:
    """Return the mean wall seconds of the jobs whose outputs are here, by rule."""
    seconds = defaultdict(list)
    for _, record in _jobs(scale):
        seconds[record["rule"]].append(max(record["endtime"] - record["starttime"], 0.0))
    return {rule: sum(taken) / len(taken) for rule, taken in seconds.items()}


def ended(scale: str, folders: Sequence[Path]) -> float:
    """Return when the last of some results was made, in seconds since 1970: by the records, else by their files."""
    wanted = {str(folder) for folder in folders}
    times = [record["endtime"] for output, record in _jobs(scale) if str(Path(output).parent) in wanted]
    return max(times or [(folder / MANIFEST).stat().st_mtime for folder in folders])


def _jobs(scale: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (its manifest, record) for each job in the exported records of a scale."""
    path = provenance_file(scale)
    seen = set()
    for output, entry in (read_json(path)["records"] if path.is_file() else {}).items():
        record = entry["record"]
        if "endtime" not in record:  # typed by hand: Snakemake did not see it run
            continue
        job = (record["rule"], tuple(record["log"]))
        if Path(output).name == MANIFEST and job not in seen:
            seen.add(job)
            yield output, record


def _add(cost: Cost, directory: Path, seconds: float) -> None:
    cost.num_jobs += 1
    cost.wall_seconds += max(seconds, 0.0)
    spent = made(directory).get("cost")
    if spent is None:
        cost.cpu_seconds = None
        return
    if cost.cpu_seconds is not None:
        cost.cpu_seconds += spent["cpu_seconds"]
    cost.peak_memory_bytes = max(cost.peak_memory_bytes, spent["peak_memory_bytes"])


def of_methods(runs: Iterable[Run]) -> list[str]:
    """Return a table of what each model of a task took to make, seeds averaged; empty where none tells.

    Updates are those that were made; time and memory are the whole job's, loading and measuring between epochs
    included, and what was derived for it beforehand is not. Costs are no results: they are another each time, so that
    no table of results holds them, nor is one made anew for them.
    """
    rows = []
    for seeds in by_method(runs).values():
        folders = [run.models for run in seeds if run.models and (run.models / MANIFEST).is_file()]
        spent = [cost for folder in folders if (cost := made(folder).get("cost"))]
        if not spent:
            continue
        steps = [manifests.read(folder).get("training", {}).get("steps") for folder in folders]
        updates = "-" if None in steps else f"{fmean(steps):.0f}"
        wall, cpu = (fmean(cost[key] for cost in spent) for key in ("wall_seconds", "cpu_seconds"))
        peak = max(cost["peak_memory_bytes"] for cost in spent) / 2**20
        rows.append((seeds[0].name, updates, f"{wall:.1f}", f"{cpu:.1f}", f"{peak:.0f}"))
    if not rows:
        return []
    table = [("what it took to make", "updates", "wall s", "CPU s", "peak MiB"), *rows]
    width = max(len(row[0]) for row in table)
    return [row[0].ljust(width) + "".join(cell.rjust(10) for cell in row[1:]) for row in table]


def as_text(by_rule: dict[str, Cost], total_seconds: float) -> str:
    """Return a table for the terminal."""
    width = max(map(len, by_rule), default=4)
    lines = [f"{'rule':<{width}}{'jobs':>6}{'wall s':>10}{'CPU s':>10}{'peak MiB':>10}"]
    for rule, cost in sorted(by_rule.items(), key=lambda item: -item[1].wall_seconds):
        cpu = "-" if cost.cpu_seconds is None else f"{cost.cpu_seconds:.1f}"
        peak = f"{cost.peak_memory_bytes / 2**20:.0f}" if cost.peak_memory_bytes else "-"
        lines.append(f"{rule:<{width}}{cost.num_jobs:>6}{cost.wall_seconds:>10.1f}{cpu:>10}{peak:>10}")
    num_jobs = sum(cost.num_jobs for cost in by_rule.values())
    lines.append(f"{num_jobs} jobs, {total_seconds / 60:.1f} minutes from the first start to the last end")
    return "\n".join(lines)
