"""The typed form of every configuration file. Unknown keys are errors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from blur.core.choice import Axis
from blur.core.settings import (
    AttackName,
    Flag,
    Fraction,
    Json,
    MethodName,
    MetricName,
    ModelPattern,
    RequestName,
    Seed,
    SetName,
    Strict,
    VariantPattern,
)
from blur.report.settings import RequestSequence
from blur.unlearn.alternates.base import AlternatesBase

Partial = dict[str, Json]
SetNames = Annotated[tuple[SetName, ...], Field(min_length=1)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1)]


class Tracking(Strict):
    """Where step logs go besides ``steps.jsonl``."""

    wandb: Literal["disabled", "offline", "online"] = "offline"
    project: str = Field(default="blur", min_length=1)


def _tracking(value: Any) -> Any:
    """Take wandb's mode alone for all of it, as in ``--config tracking=off``; YAML reads `off` as false."""
    if isinstance(value, str | bool):
        return {"wandb": "disabled" if value in (False, "off") else value}
    return value


class MainConfig(Strict):
    """``config/config.yaml``; each key can be set with ``snakemake --config key=value``."""

    scale: str = Field(description="one file of config/scales")
    task: str | None = Field(None, description="one task of the scale instead of those it runs by default")
    tracking: Annotated[Tracking, BeforeValidator(_tracking)] = Tracking()
    workers: Literal["warm", "cold"] = Field(
        "warm", description="of jobs on this machine: forked from one process that has imported everything, or each new"
    )


class Selection(Strict):
    """A product of methods, variants and seeds to run. Variants may be patterns such as ``gamma*``."""

    methods: tuple[MethodName, ...] = Field(min_length=1)
    variants: tuple[str, ...] = ("default",)
    seeds: Seeds


class AttackSelection(Strict):
    """A product of attacks and runs to attack; target and retrained are always attacked beside them."""

    attacks: tuple[AttackName, ...] = Field(min_length=1, description="files of config/attacks")
    methods: tuple[MethodName, ...] = Field(min_length=1)
    variants: tuple[str, ...] = ("default",)
    seeds: Seeds


class ScaleConfig(Strict):
    """``config/scales/<scale>.yaml``: how large everything is, and what is run."""

    title: str
    extends: str | None = Field(
        None, description="a scale whose file is read below this one: mappings are merged, lists and values replaced"
    )
    all: tuple[str, ...] = Field(description="tasks that `snakemake all` runs", min_length=1)
    tasks: dict[str, Partial] = Field(description="tasks known at this scale, with changes to config/tasks/<task>.yaml")
    models: dict[str, Partial] = Field(default_factory=dict, description="changes to ModelSettings, by model")
    train: Partial = Field(default_factory=dict, description="settings of target and retrained (UnlearnSettings)")
    derived: dict[str, Partial] = Field(default_factory=dict, description="settings of what methods read, by kind")
    unlearn: Partial = Field(default_factory=dict, description="settings of every unlearning run (UnlearnSettings)")
    measure: Partial = Field(default_factory=dict, description="changes to the benchmark's MeasureSettings")
    runs: tuple[Selection, ...]
    variants: dict[str, Partial] = Field(default_factory=dict, description="variants of every method that trains")
    attacked: tuple[AttackSelection, ...] = Field((), description="which of the runs are attacked, and how")
    attacks: dict[str, Partial] = Field(default_factory=dict, description="changes to the attacks' settings, by attack")
    meaning: str | None = Field(
        None, description="what stands instead of results that mean nothing, set beside others'"
    )
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?)$")
    size: str | None = Field(
        None, description="what its jobs ask for, a size of config/resources.yaml; by default that of each task's model"
    )

    @model_validator(mode="after")
    def _default_tasks_are_known(self) -> ScaleConfig:
        unknown = [task for task in self.all if task not in self.tasks]
        if unknown:
            raise ValueError(f"`all` names {unknown[0]!r}, which is not among `tasks`: {', '.join(self.tasks)}")
        return self


class ModelSource(Strict):
    """Where a task's target or retrained model comes from."""

    kind: Literal["train", "hub", "none"] = "train"
    name: str | None = Field(default=None, description="hub name or folder, with `kind: hub`")
    revision: str | None = None
    tokenizer: str | None = Field(
        default=None, description="hub name or folder of the tokenizer, where `name` has none"
    )
    seed: Seed = 0

    @model_validator(mode="after")
    def _name_goes_with_hub(self) -> ModelSource:
        if (self.kind == "hub") != (self.name is not None):
            raise ValueError("`name` is needed with `kind: hub` and means nothing otherwise")
        if self.tokenizer is not None and self.kind != "hub":
            raise ValueError("`tokenizer` belongs to `kind: hub`")
        return self


class TaskConfig(Strict):
    """``config/tasks/<task>.yaml``: a benchmark, its data, a base model, and settings that belong to the pair."""

    title: str
    benchmark: str
    data: Partial
    model: str
    texts: Literal["documents", "packed", "truncated"] = Field(
        "documents",
        description="training texts longer than max_length: each cut into chunks by itself, all strung together first "
        "(MUSE's code), or cut off (WMDP's)",
    )
    target: ModelSource = ModelSource()
    retrained: ModelSource = ModelSource()
    train: Partial = Field(default_factory=dict)
    unlearn: Partial = Field(default_factory=dict)
    derived: dict[str, Partial] = Field(default_factory=dict)
    measure: Partial = Field(default_factory=dict, description="changes to the benchmark's MeasureSettings")
    epochs: Partial = Field(default_factory=dict, description="changes to what the benchmark measures at epoch ends")
    methods: dict[str, Partial] = Field(default_factory=dict, description="tuned settings by method, with their source")
    attacks: dict[str, Partial] = Field(default_factory=dict, description="changes to the attacks' settings, by attack")
    runs: tuple[Selection, ...] | None = Field(None, description="instead of the scale's runs")
    attacked: tuple[AttackSelection, ...] | None = Field(None, description="instead of the scale's")

    @model_validator(mode="after")
    def _target_exists(self) -> TaskConfig:
        if self.target.kind == "none":
            raise ValueError("`target.kind: none` leaves nothing to unlearn from; use train or hub")
        return self


class RunFilter(Strict):
    """Which runs a figure or table reads; everything by default. Values may be patterns."""

    methods: tuple[ModelPattern, ...] = ("*",)
    variants: tuple[VariantPattern, ...] = ("default",)
    attacked: Flag = False  # only those on which one of the figure's attacks is made
    needed: Flag = False  # without such a run there is no figure


class FigureConfig(Strict):
    """One figure: the module that draws it, the runs it reads, its options; caption in workflow/report."""

    module: str | None = Field(None, description="module of blur.report.figures; by default of the figure's own name")
    runs: tuple[RunFilter, ...] = (RunFilter(),)
    attacks: tuple[AttackName, ...] = Field((), description="attacks whose results it reads, where they are made")
    options: Partial = Field(default_factory=dict)


Stream = SetNames | Annotated[dict[str, SetNames], Field(min_length=1)]


Source = Annotated[AlternatesBase, Axis("blur.unlearn.alternates", "Alternates")]


def by_topic(stream: Stream) -> dict[str, SetNames]:
    """Return a stream's sets by topic, sorted; one that has no topics has the topic ``""``."""
    return dict(sorted(stream.items())) if isinstance(stream, dict) else {"": stream}


class Training(Strict):
    """Which sets of the data are what in training. A stream with topics (WMDP's) takes them in turn, step by step."""

    forget: Stream
    retain: Stream
    target: SetNames
    retrained: SetNames
    streams: dict[str, Stream] = Field(
        default_factory=dict, description="further streams by name, for the methods that ask for them"
    )
    alternates: tuple[Source, ...] = Field(
        (), description="what may be answered instead, for the methods whose losses compare it with the answer"
    )

    @model_validator(mode="after")
    def _names_are_free(self) -> Training:
        for name in ("forget", "retain"):
            if name in self.streams:
                raise ValueError(f"`streams` has {name!r}, which is a key beside it")
        if len(self.sources) < len(self.alternates):
            raise ValueError(f"`alternates` names one kind twice: {', '.join(one.name for one in self.alternates)}")
        return self

    @property
    def all_streams(self) -> dict[str, Stream]:
        """Every stream by its name."""
        return {"forget": self.forget, "retain": self.retain, **self.streams}

    @property
    def sources(self) -> dict[str, AlternatesBase]:
        """Where alternates may come from, by name."""
        return {source.name: source for source in self.alternates}


class Request(Strict):
    """Another demand to forget than the benchmark's own: a variant that every method has there.

    It starts from the target, or, one of a sequence, from the model that an earlier request left.
    """

    forget: Stream
    after: RequestName | None = Field(
        None, description="the request whose model this one starts from; `default` is the benchmark's own"
    )


class Judges(Strict):
    """The metrics that say in one word whether a model has forgotten, and whether it is still of use."""

    forget: tuple[MetricName, ...] = Field(min_length=1, description="0-1, lower is better; their mean counts")
    utility: MetricName = Field(description="higher is better; below half the target's a model counts as collapsed")
    unseen: MetricName | None = Field(None, description="what `forget` measures, on texts that neither model saw")


class AttackConfig(Strict):
    """``config/attacks/<attack>.yaml``: a way to bring back what was forgotten."""

    title: str
    module: str = Field(description="kind of attack, a module of blur.attacks.kinds")
    source: str = Field(description="paper and section that the attack is from")
    settings: Partial = Field(description="what that kind has, its arms among it")


class BenchmarkAttack(Strict):
    """What an attack does on a benchmark, and what is read off the attacked model."""

    settings: Partial = Field(default_factory=dict, description="changes to the attack's settings, such as its sets")
    metrics: tuple[MetricName, ...] = Field(
        (), description="of the benchmark's, by default all of them; what they look up is what is measured"
    )
    judged_by: tuple[MetricName, ...] = Field(
        (), description="metrics, 0-1, whose mean came back; the benchmark's by default"
    )
    items: Literal["all", "unseen"] = Field(
        "all", description="over which items: all of them, or those of entities that the attacker never saw"
    )
    chance: Fraction | None = Field(
        None,
        description="what guessing gives: the floor where `items: unseen` count, or there is no retrained model",
    )


class BenchmarkConfig(Strict):
    """``config/benchmarks/<benchmark>.yaml``: what is measured and how it is summed up."""

    title: str
    module: str = Field(description="module of blur.data.benchmarks that builds the sets")
    training: Training
    requests: dict[str, Request] = Field(default_factory=dict, description="further requests, by the variant's name")
    measure: Partial
    epochs: Partial = Field(description="MeasureSettings of the measurements at each epoch's end")
    metrics: tuple[Partial, ...]
    trajectory: tuple[Partial, ...]
    judged_by: Judges
    sequence: RequestSequence | None = Field(None, description="requests that the robustness table follows")
    attacks: dict[str, BenchmarkAttack] = Field(default_factory=dict, description="by file of config/attacks")
    figures: dict[str, FigureConfig] = Field(
        description="what differs from config/figures.yaml; `{}` where nothing does"
    )
    table: Partial = Field(default_factory=dict, description="options of the results table")

    @model_validator(mode="after")
    def _requests_follow_known_ones(self) -> BenchmarkConfig:
        if "default" in self.requests:
            raise ValueError("the request 'default' is the benchmark's own; give this one another name")
        for name in self.requests:
            self._require_start(name)
        known = ("default", *self.requests)
        unknown = [name for name in (self.sequence.variants if self.sequence else ()) if name not in known]
        if unknown:
            raise ValueError(f"`sequence` has the request {unknown[0]!r}, which is none of {', '.join(known)}")
        return self

    def _require_start(self, name: str) -> None:
        """Refuse a request that comes after an unknown one, or after itself."""
        before, after = {name}, self.requests[name].after
        while after not in (None, "default"):
            if after not in self.requests:
                known = ", ".join(("default", *self.requests))
                raise ValueError(f"request {name!r} comes after {after!r}, which is none of {known}")
            if after in before:
                raise ValueError(f"request {name!r} comes after itself: {after!r} starts from its model")
            before.add(after)
            after = self.requests[after].after


class FiguresConfig(Strict):
    """``config/figures.yaml``: what benchmarks share of their figures; a benchmark has those that it names."""

    figures: dict[str, Partial]


class ModelConfig(Strict):
    """``config/models/<model>.yaml``: a base model (see ModelSettings) and how it is fine-tuned."""

    model: Partial
    train: Partial = Field(default_factory=dict)
    unlearn: Partial = Field(default_factory=dict)
    derived: dict[str, Partial] = Field(default_factory=dict)
    methods: dict[str, Partial] = Field(
        default_factory=dict, description="settings by method that depend on the model, such as layers"
    )


class MethodConfig(Strict):
    """``config/methods/<method>.yaml``: a point in the space of six axes, or an edit; with variants."""

    title: str
    kind: Literal["train", "edit"] = Field("train", description="a run of the training loop, or one change of weights")
    family: str
    source: str = Field(description="paper, equation, and where its settings come from")
    reading: Flag = Field(False, description="our reading: its form is known second-hand only")
    faults: tuple[str, ...] = Field((), description="of the authors' code: each with what is done here instead")
    settings: Partial = Field(
        description="forget, retain, combine, scope ... (UnlearnSettings); or edit (EditSettings)"
    )
    variants: dict[str, Partial] = Field(default_factory=dict, description="named changes of the settings")

    @model_validator(mode="after")
    def _default_is_reserved(self) -> MethodConfig:
        if "default" in self.variants:
            raise ValueError("the variant 'default' is the method itself; give this one another name")
        return self
