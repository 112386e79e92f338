"""The key of a job: the settings it reads and the fingerprint of the code it uses.

One key per job, as canonical JSON, is the only parameter that Snakemake records: it compares several parameters as a
set, so two swapped values would go unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import Any

from blur.config.load import require_known, suggest, validate
from blur.config.plan import Plan
from blur.config.schema import FigureConfig, RunFilter, by_topic
from blur.config.task import Run, Task
from blur.core import manifest as manifests
from blur.core.errors import ArtifactError, ConfigError, DataError
from blur.core.fingerprint import fingerprint
from blur.core.hashing import canonical_json, sha256_file, sha256_json
from blur.core.paths import data_dir
from blur.report.settings import OPTIONS, TableSettings
from blur.unlearn.alternates.base import AlternatesBase

Key = dict[str, Any]
TEXTS = (".json", ".jsonl", ".raw")  # endings of what the loaders of local files read
OWN = "own"  # what the benchmark itself demands to forget, where a request is asked for


def data_key(plan: Plan, task: str) -> Key:
    """Key of a task's data: source, split, and the content of local files."""
    resolved = plan.task(task)
    settings = {
        "data": resolved.data.model_dump(mode="json"),
        "files": local_files(resolved),
    }
    return _key(settings, ["blur.stages.data", f"blur.data.{resolved.benchmark.module}"])


def local_files(task: Task) -> dict[str, str]:
    """Return the hashes of the files of a ``local`` source, and of its subfolders, by path; empty for other sources.

    Raises:
        DataError: the folder is missing, or one of its files cannot be read.
    """
    source = task.data.source
    if source.kind != "local":
        return {}
    folder = Path(source.path)
    if not folder.is_dir():
        where = task.place("data", "source", "path")
        raise DataError(f"no folder {source.path!r}", where, "Put the files there, or name another folder")
    found = [path for pattern in ("*", "*/*") for path in folder.glob(pattern) if path.suffix in TEXTS]
    return {path.relative_to(folder).as_posix(): _hash(path) for path in sorted(found) if not path.is_dir()}


def _hash(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        reason = "a link that leads nowhere" if path.is_symlink() else f"cannot be read ({error.strerror})"
        raise DataError(reason, str(path), "Mend it or remove it") from None


def unbuilt_sets(plan: Plan, task: str) -> dict[str, list[dict[str, Any]]]:
    """Read the local texts of a task whose data are not built yet from them as they are: no job is needed to do so.

    Returns:
        The task's sets; none where its texts are no files here, or are built already.

    Raises:
        DataError: they cannot be made into sets; names file, line and remedy.
    """
    resolved, sets = plan.task(task), dict[str, list[dict[str, Any]]]()
    if resolved.data.source.kind != "local":
        return sets
    folder = data_dir(plan.name, task)
    with suppress(ArtifactError):
        if manifests.read(folder)["key_hash"] == sha256_json(data_key(plan, task)):
            return sets
    sets.update(import_module(f"blur.data.{resolved.benchmark.module}").build(resolved.data))
    return sets


def require_folders(plan: Plan, task: str) -> None:
    """Refuse a task whose data or models are in a folder that is not there; a hub's names are left to the hub.

    Raises:
        DataError: the folder of a ``local`` source is missing.
        ConfigError: the folder of a model is missing.
    """
    resolved = plan.task(task)
    local_files(resolved)
    config = resolved.config
    named = {
        f"{resolved.model_file[0]}: model.name_or_path": resolved.model.name_or_path,
        resolved.place("target", "name"): config.target.name,
        resolved.place("retrained", "name"): config.retrained.name,
    }
    for where, name in named.items():
        if name and name.startswith(("/", ".", "~")) and not Path(name).is_dir():
            raise ConfigError(f"no folder {name!r}", where, "Put the model there, or name another folder or a hub name")


def base_key(plan: Plan, run: Run) -> Key:
    """Key of a task's base model: architecture or hub name, tokenizer, template."""
    resolved = plan.task(run.task)
    settings = {
        "model": resolved.model.model_dump(mode="json"),
        # Not the forget sets: a tokenizer that has seen them gives the retrained model words it never met.
        "texts": list(resolved.benchmark.training.retrained),
    }
    return _key(settings, ["blur.stages.base"])


def train_key(plan: Plan, run: Run) -> Key:
    """Key of a target or retrained model."""
    resolved = plan.task(run.task)
    source = getattr(resolved.config, run.method)
    settings: dict[str, Any] = {"from": source.model_dump(mode="json"), **_encoding(resolved)}
    if source.kind == "hub":
        return _key({**settings, "template": resolved.model.template.model_dump(mode="json")}, ["blur.stages.train"])
    recipe = plan.training_settings(run.task).model_copy(update={"seed": run.seed})
    settings["train"] = recipe.model_dump(mode="json")
    settings["sets"] = list(getattr(resolved.benchmark.training, run.method))
    return _key(settings, ["blur.stages.train", *recipe.modules])


def _encoding(task: Task) -> dict[str, Any]:
    """How a task's records become training examples."""
    return {"max_length": task.model.max_length, "texts": task.config.texts}


def reference_sums_key(plan: Plan, run: Run, request: str = OWN) -> Key:
    """Key of a model's log-likelihood sums on the texts that a run which starts from it forgets.

    Args:
        run: the model.
        request: one of the benchmark's requests, or its own forget set; after an ``@`` the alternates that count too.
    """
    resolved = plan.task(run.task)
    request, _, alternates = request.partition("@")
    training, requests = resolved.benchmark.training, resolved.benchmark.requests
    if request != OWN:
        require_known("request", request, requests, plan.benchmark_place(run.task, "requests"))
    stream = training.forget if request == OWN else requests[request].forget
    sets = [name for names in by_topic(stream).values() for name in names]
    if alternates:
        where = plan.benchmark_place(run.task, "training.alternates")
        require_known("alternates", alternates, training.sources, where)
    told, modules = _alternates({"forget": training.sources[alternates]} if alternates else {})
    return _key({"sets": sets, **told, **_encoding(resolved)}, ["blur.stages.reference_sums", *modules])


def _alternates(sources: Mapping[str, AlternatesBase]) -> tuple[dict[str, Any], list[str]]:
    """Return what a key holds of the alternates that are read, by stream, and their modules; nothing where none are."""
    told = {stream: source.model_dump(mode="json") for stream, source in sources.items()}
    return {"alternates": told} if told else {}, [type(source).__module__ for source in sources.values()]


def matched_lambda_key(plan: Plan, run: Run) -> Key:
    """Key of 1 / mean(xi) of a BLUR run."""
    return _key({}, ["blur.stages.matched_lambda"])


def unlearn_key(plan: Plan, run: Run) -> Key:
    """Key of an unlearning run: its five axes and everything else it reads."""
    resolved = plan.task(run.task)
    recipe = plan.unlearn_settings(run)
    epochs = plan.epoch_settings(run.task)
    alternates, modules = _alternates(plan.alternates(run))
    settings = {
        "unlearn": recipe.model_dump(mode="json"),
        "epochs": epochs.model_dump(mode="json"),
        "tasks": epochs.task_files(),
        "streams": plan.streams(run),
        **alternates,
        **_encoding(resolved),
    }
    return _key(settings, ["blur.stages.unlearn", *recipe.modules, *modules])


def evaluate_key(plan: Plan, run: Run) -> Key:
    """Key of a model's raw measurements."""
    measure = plan.measure_settings(run.task)
    settings = {
        "measure": measure.model_dump(mode="json"),
        "tasks": measure.task_files(),
        "max_length": plan.task(run.task).model.max_length,
    }
    return _key(settings, ["blur.stages.evaluate"])


def metrics_key(plan: Plan, run: Run) -> Key:
    """Key of a model's metrics: their definitions, and the title and settings that the results carry."""
    plan.check_metrics(run.task)
    benchmark = plan.task(run.task).benchmark
    specs = [*benchmark.metrics, *benchmark.trajectory]
    settings = {
        "metrics": list(benchmark.metrics),
        "trajectory": list(benchmark.trajectory),
        "run": describe(plan, run),
    }
    modules = sorted({f"blur.metrics.{spec['metric']}" for spec in specs})
    return _key(settings, ["blur.stages.metrics", *modules])


def describe(plan: Plan, run: Run) -> dict[str, str]:
    """Return what tables and figures call a run."""
    if run.method in ("target", "retrained"):
        return {"title": run.method.capitalize(), "family": "reference"}
    method = plan.method(run.method)
    return {"title": method.title, "family": method.family}


def attack_key(plan: Plan, run: Run, attack: str) -> Key:
    """Key of one kind of attack on a model: its arms, and what is measured."""
    resolved, chosen = plan.task(run.task), plan.attacks.settings(run.task, attack)
    measure = plan.attacks.measure(run.task, attack)
    settings = {
        "attack": chosen.model_dump(mode="json"),
        "measure": measure.model_dump(mode="json"),
        "tasks": measure.task_files(),
        **_encoding(resolved),
    }
    return _key(settings, ["blur.stages.attack", *chosen.modules])


def attack_metrics_key(plan: Plan, run: Run, attack: str) -> Key:
    """Key of what came back in an attack: the metrics, and what tables and figures read."""
    specs, judges = plan.attacks.metrics(run.task, attack)
    on = plan.attacks.on(run.task, attack)
    told = {"title": plan.attacks.config(attack).title, "items": on.items, "chance": on.chance}
    arms = list(plan.attacks.settings(run.task, attack).arms)
    settings = {"metrics": specs, "judged_by": judges, "attack": {**told, "arms": arms}}
    modules = sorted({f"blur.metrics.{spec['metric']}" for spec in specs})
    return _key(settings, ["blur.stages.attack_metrics", *modules])


def figure_key(plan: Plan, task: str, figure: str) -> Key:
    """Key of one figure."""
    resolved = plan.task(task)
    config = resolved.benchmark.figures.get(figure)
    if config is None:
        where = str(plan.folder / f"benchmarks/{resolved.config.benchmark}.yaml: figures")
        raise ConfigError(f"no figure {figure!r}", where, suggest(figure, resolved.benchmark.figures))
    where = plan.benchmark_place(task, f"figures.{figure}.module")
    require_known("figure module", config.module, OPTIONS, where)
    settings = {"title": resolved.config.title, "options": config.options, "module": config.module}
    settings |= {"attacks": list(config.attacks)} if config.attacks else {}
    return _key(settings, ["blur.stages.figures", f"blur.report.figures.{config.module}"])


def table_key(plan: Plan, task: str) -> Key:
    """Key of a task's results table."""
    resolved = plan.task(task)
    forget = list(resolved.benchmark.judged_by.forget)
    settings = {"title": resolved.config.title, "options": table_options(resolved), "forget": forget}
    return _key(settings, ["blur.stages.table"])


def robustness_key(plan: Plan, task: str) -> Key:
    """Key of a task's table of attacks."""
    resolved = plan.task(task)
    benchmark = resolved.benchmark
    judges = benchmark.judged_by.model_dump(mode="json", include={"forget", "utility"})
    settings = {"title": resolved.config.title, "judged_by": judges}
    if benchmark.sequence:
        settings["sequence"] = benchmark.sequence.model_dump(mode="json")
    return _key(settings, ["blur.stages.robustness"])


def robustness_runs(plan: Plan, task: str) -> list[Run]:
    """Return the runs that the table of attacks reads: attacked ones, and those of later requests."""
    sequence, runs = plan.task(task).benchmark.sequence, plan.runs(task)
    variants = sequence.variants if sequence else ()
    asked = {(run.method, run.seed) for run in runs if run.variant in variants[1:]}
    later = [run for run in runs if (run.method, run.seed) in asked and run.variant in ("default", *variants)]
    return list(dict.fromkeys([*(run for run, _ in plan.attacks.pairs(task)), *later]))


def table_options(task: Task) -> dict[str, Any]:
    """Return all options of a task's results table, those included that the benchmark tells elsewhere."""
    benchmark = task.benchmark
    told = {"utility": benchmark.judged_by.utility, "requests": sorted(benchmark.requests)}
    where = f"{task.config.benchmark}.yaml: table"
    return validate(TableSettings, ("judged_by, requests", told), (where, benchmark.table)).model_dump(mode="json")


def _key(settings: dict[str, Any], roots: list[str]) -> Key:
    return {"settings": settings, "code": fingerprint(roots)}


def as_parameter(make: Callable[..., Key], *args: Any) -> str:
    """Return the canonical JSON of a key, the form in which Snakemake records it."""
    return canonical_json(make(*args))


def derived_inputs(plan: Plan, run: Run) -> dict[str, Run]:
    """Return the derived data that an unlearning run reads: its folder, and the run that it is derived from."""
    inputs, settings = {}, plan.unlearn_settings(run)
    if "reference_sums" in settings.needs:
        request, alternates = run.variant if plan.request(run) else OWN, settings.alternates.get("forget")
        inputs[f"reference_sums/{'@'.join(filter(None, (request, alternates)))}"] = plan.start(run)
    matched = plan.method(run.method).matched_lambda.get(run.variant)
    if matched:
        inputs["matched_lambda"] = Run(run.task, matched.method, matched.variant, run.seed)
    return inputs


def drawn(plan: Plan, task: str) -> list[str]:
    """Return the names of a task's figures; those of attacks and runs that are not made there are left out."""
    made = {attack for _, attack in plan.attacks.pairs(task)}

    def can_be(figure: FigureConfig) -> bool:
        needed = tuple(chosen for chosen in figure.runs if chosen.needed)
        attacked = made & {*figure.attacks} or not any(chosen.attacked for chosen in figure.runs)
        return bool(attacked) and (not needed or any(is_chosen(run, needed) for run in plan.runs(task)))

    return [name for name, figure in plan.task(task).benchmark.figures.items() if can_be(figure)]


def figure_runs(plan: Plan, task: str, figure: str) -> tuple[list[Run], list[tuple[Run, str]]]:
    """Return the runs that a figure reads, and the attacks on them."""
    config = plan.task(task).benchmark.figures[figure]
    made = [pair for pair in plan.attacks.pairs(task) if pair[1] in config.attacks]
    attacked = {run for run, _ in made}
    runs = [
        run
        for run in plan.evaluated(task)
        if is_chosen(run, tuple(chosen for chosen in config.runs if run in attacked or not chosen.attacked))
    ]
    return runs, [pair for pair in made if pair[0] in runs]


def is_chosen(run: Run, filters: tuple[RunFilter, ...]) -> bool:
    """Whether a figure's filters choose a run."""
    return any(
        any(fnmatchcase(run.method, pattern) for pattern in chosen.methods)
        and any(fnmatchcase(run.variant, pattern) for pattern in chosen.variants)
        for chosen in filters
    )
