"""What a benchmark says about its results table, and about each figure: the options of its ``draw``, typed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from blur.core.settings import (
    ArmName,
    AttackName,
    ColumnName,
    Count,
    Fraction,
    MethodName,
    MetricName,
    NonNegative,
    Real,
    RequestName,
    RunName,
    SettingName,
    Strict,
    VariantName,
)


class TableSettings(Strict):
    """``table`` of ``config/benchmarks/<benchmark>.yaml``. ``metric.detail`` names a detail of a metric."""

    columns: tuple[ColumnName, ...] = Field(description="metrics of the headline table", min_length=1)
    utility: MetricName = Field(description="metric that tells whether a model has collapsed; higher is better")
    collapsed: Fraction = Field(0.5, description="share of the target's utility, above chance, below which it has")
    parts: tuple[MetricName, ...] = Field((), description="metrics whose details get a table of their own")
    chance: dict[MetricName, Real] = Field(default_factory=dict, description="what guessing gives, by metric")
    requests: tuple[str, ...] = Field((), description="patterns of variants that are requests to forget (scal*, sust*)")


class RequestSequence(Strict):
    """Requests one after another: what the earlier ones removed has to stay away (``report.sequence``)."""

    title: str
    variants: tuple[RequestName, ...] = Field(description="the requests in their order, by the variant's name")
    metrics: tuple[MetricName, ...] = Field(description="what is left of each request's texts, in that order; 0-1")
    floor: MetricName | None = Field(
        None, description="the one of `metrics` whose texts the retrained model never saw; by default it saw none's"
    )

    @model_validator(mode="after")
    def _every_request_is_measured(self) -> RequestSequence:
        if len(self.variants) != len(self.metrics) or self.floor not in (None, *self.metrics):
            raise ValueError("`metrics` needs one for each of `variants`, and `floor` is one of them")
        return self


class _WithChance(Strict):
    chance: dict[MetricName, Real] | None = None


class _Judged(Strict):
    forget: tuple[ColumnName, ...] = Field(min_length=1)
    utility: ColumnName


class Ablation(_WithChance):
    """``report.figures.ablation``."""

    method: MethodName
    parameter: SettingName
    metrics: tuple[ColumnName, ...] = Field(min_length=1)


class Alignment(Strict):
    """``report.figures.alignment``."""

    methods: tuple[MethodName, ...] | None = None


class Claims(_Judged):
    """``report.figures.claims``."""

    pairs: dict[MethodName, MethodName]
    arms: dict[AttackName, tuple[ArmName, ...]] | None = None


class CosineNpo(Strict):
    """``report.figures.cosine_npo``."""

    method: MethodName
    lam: NonNegative


class Front(Strict):
    """``report.figures.front``."""

    forget: ColumnName
    utility: ColumnName
    pairs: tuple[tuple[MethodName, MethodName], ...] | None = None
    levels: Count = 5


class Geometry(Strict):
    """``report.figures.geometry``."""

    method: MethodName
    variant: VariantName = "default"


class Hierarchy(_WithChance):
    """``report.figures.hierarchy``."""

    compare: tuple[RunName, ...] = Field(min_length=1)
    metrics: tuple[ColumnName, ...] = Field(min_length=1)


class Promise(Strict):
    """``report.figures.promise``."""


class Quantization(_Judged):
    """``report.figures.quantization``."""

    attack: AttackName


class Relearning(Strict):
    """``report.figures.relearning``."""

    attack: AttackName
    forget: tuple[ColumnName, ...] = Field(min_length=1)
    items: Literal["all", "unseen"] = "all"


class Requests(_WithChance):
    """``report.figures.requests``."""

    metrics: tuple[ColumnName, ...] = Field(min_length=1)
    scalability: tuple[RequestName, ...] = ()
    sustainability: tuple[RequestName, ...] = ()


class Survives(_Judged):
    """``report.figures.survives``."""

    sequence: RequestSequence | None = None


class Tradeoff(_Judged, _WithChance):
    """``report.figures.tradeoff``."""

    line: MethodName = "graddiff"


class Trajectories(_WithChance):
    """``report.figures.trajectories``."""

    metrics: tuple[ColumnName, ...] = Field(min_length=1)


OPTIONS: dict[str, type[Strict]] = {
    "ablation": Ablation,
    "alignment": Alignment,
    "claims": Claims,
    "cosine_npo": CosineNpo,
    "front": Front,
    "geometry": Geometry,
    "hierarchy": Hierarchy,
    "promise": Promise,
    "quantization": Quantization,
    "relearning": Relearning,
    "requests": Requests,
    "survives": Survives,
    "tradeoff": Tradeoff,
    "trajectories": Trajectories,
}
"""By the figure's module."""
