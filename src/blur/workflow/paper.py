"""The paper beside us: what is published, checked against what it names, and what a scale has stored of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from blur.config.drawn import describe, drawn, figure_runs
from blur.config.load import Layer, under, validate
from blur.config.names import require_names
from blur.config.plan import Plan
from blur.config.schema import BenchmarkConfig
from blur.config.stages import STAGES
from blur.config.task import JobName
from blur.config.task import Run as PlannedRun
from blur.core import manifest as manifests
from blur.core.errors import ConfigError
from blur.core.files import atomic_write_text
from blur.core.paths import STEPS, phase_dir
from blur.core.shipped import find
from blur.metrics.specs import Spec, read_specs
from blur.report.paper import Found, Image, Making, Ours, page
from blur.report.published import Part, Published
from blur.report.runs import DEFAULT, REFERENCES, read_runs

FILE = "published.yaml"
CAPTIONS = Path("workflow/report")


def write(plan: Plan, path: Path) -> None:
    """Write the page that sets a scale beside the paper.

    Raises:
        ConfigError: there is no such folder; or ``published.yaml`` is wrong, or names what is not there: then it names
            file, key and the nearest name.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"no folder {str(path.parent)!r}", "--to", "Make it, or name another")
    atomic_write_text(path, text(plan))


def text(plan: Plan) -> str:
    """Return that page as Markdown."""
    published = read(plan)
    rows = {
        (table, name, row.run): _found(plan, part, row.run)
        for table, name, part in published.parts()
        for row in part.rows
    }
    images = {key: _image(plan, figure.drawn.task, figure.drawn.figure) for key, figure in published.figures.items()}
    directions = {
        part.benchmark: {spec.name: str(spec.direction or spec.metric.direction) for spec in _specs(plan, part)}
        for _, _, part in published.parts()
    }
    return page(published, Ours(plan.name, plan.scale.meaning, rows, images, directions))


def read(plan: Plan) -> Published:
    """Return what is published, every name in it checked.

    Raises:
        ConfigError: see ``write``.
    """
    layer = plan.layer(FILE)
    published = validate(Published, layer)
    there = {kind: plan.names(folder) for kind, folder in (("task", "tasks"), ("benchmark", "benchmarks"))}
    require_names(published, {**there, "source": list(published.sources), "run": _runs(plan)}, layer)
    for table, name, part in published.parts():
        _require_columns(plan, part, under(layer, "tables", table, "parts", name))
    for key, figure in published.figures.items():
        known = list(plan.task(figure.drawn.task).figures)
        require_names(figure, {"figure": known}, under(layer, "figures", key))
    return published


def _runs(plan: Plan) -> list[str]:
    variants = [f"{method}/{variant}" for method in plan.methods for variant in plan.variants(method)[1:]]
    return ["target", "retrained", *plan.methods, *variants]


def _require_columns(plan: Plan, part: Part, layer: Layer) -> None:
    """Refuse metrics that the benchmark has not, settings that no run of the part has, a task of another benchmark."""
    if part.task and plan.task(part.task).config.benchmark != part.benchmark:
        what = f"the task {part.task!r} is none of the benchmark {part.benchmark!r}"
        raise ConfigError(what, f"{layer[0]}.task", "Name another")
    settings = {name for row in part.rows for name in _settings(plan, part, row.run)}
    require_names(part, {"metric": [spec.name for spec in _specs(plan, part)], "setting": sorted(settings)}, layer)


def _specs(plan: Plan, part: Part) -> list[Spec]:
    return read_specs(validate(BenchmarkConfig, plan.layer(f"benchmarks/{part.benchmark}.yaml")).metrics)


def _settings(plan: Plan, part: Part, run: str) -> dict[str, Any]:
    """Return the resolved settings of a run, by dotted name; a reference has none."""
    one = _planned(part.task or "", run)
    if one.method in REFERENCES or not part.settings:
        return {}
    return dict(_dotted(plan.method_settings(one).model_dump(mode="json")))


def _planned(task: str, run: str) -> PlannedRun:
    """Return what a row's ``method`` or ``method/variant`` stands for."""
    method, _, variant = run.partition("/")
    return PlannedRun(task, method, variant or DEFAULT)


def _dotted(value: Any, above: str = "") -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping | list) and value:
        inner = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, part in inner:
            yield from _dotted(part, f"{above}.{key}" if above else str(key))
    else:
        yield above, value


def _found(plan: Plan, part: Part, run: str) -> Found:
    """Return what the scale has of a row."""
    one = _planned(part.task or "", run)
    title = describe(plan, one)["title"] + (f" (`{one.variant}`)" if "/" in run else "")
    if part.task not in plan.scale.tasks:
        return Found(title)
    asked = [other for other in plan.evaluated(one.task) if (other.method, other.variant) == (one.method, one.variant)]
    folders = {other: phase_dir("metrics", plan.name, other.path) for other in asked}
    done = [other for other, folder in folders.items() if (folder / manifests.NAME).is_file()]
    return Found(
        title,
        asked=len(asked),
        runs=tuple(read_runs(folders[other] for other in done)) if done else (),
        makings=tuple(making(plan, other) for other in done),
        settings=_settings(plan, part, run),
    )


def making(plan: Plan, run: PlannedRun) -> Making:
    """Return how a run's model came about: updates from its manifest and its log, commit from beside them."""
    folder = phase_dir("models", plan.name, run.path)
    if not (folder / manifests.NAME).is_file():
        return Making()
    manifest, commit = manifests.read(folder), manifests.made(folder).get("commit")
    if STEPS not in manifest["files"]:
        return Making(commit=commit)
    manifests.check_files(folder, manifest, [STEPS])
    real = sum(bool(line.strip()) for line in (folder / STEPS).read_text(encoding="utf-8").splitlines())
    return Making(manifest["training"]["steps"], real, commit)


def _image(plan: Plan, task: str, figure: str) -> Image:
    """Return what the scale has of a figure."""
    (result,) = STAGES["figures"].results(plan, JobName(task, figure=figure))
    path = next(file for file in result.files if file.suffix == ".png")
    caption = find(CAPTIONS) / f"{figure}.rst"
    asked = task in plan.scale.tasks and figure in drawn(plan, task)
    is_drawn = (result.directory / manifests.NAME).is_file()
    shown = [run for run in figure_runs(plan, task, figure)[0] if run in plan.runs(task)] if asked else []
    return Image(
        path=path,
        caption_file=caption,
        caption=_filled(caption.read_text(encoding="utf-8"), {"task": task, "scale": plan.name}),
        asked=asked,
        is_drawn=is_drawn,
        commit=manifests.made(result.directory).get("commit"),
        makings=tuple(making(plan, run) for run in shown) if is_drawn else (),
    )


def _filled(caption: str, wildcards: Mapping[str, str]) -> str:
    """Return a caption in one line, as Snakemake's report fills it in."""
    filled = re.sub(r"\{\{ snakemake\.wildcards\.(\w+) \}\}", lambda match: wildcards[match[1]], caption)
    return " ".join(filled.split())
