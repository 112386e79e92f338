"""What a benchmark says about its results table, and about requests one after another."""

from __future__ import annotations

from pydantic import Field, model_validator

from blur.core.settings import (
    ColumnName,
    Fraction,
    MetricName,
    Real,
    RequestName,
    Strict,
)


class TableSettings(Strict):
    """``table`` of ``config/benchmarks/<benchmark>.yaml``. ``metric.detail`` names a detail of a metric."""

    columns: tuple[ColumnName, ...] = Field(description="metrics of the headline table", min_length=1)
    utility: MetricName = Field(description="metric that tells whether a model has collapsed; higher is better")
    collapsed: Fraction = Field(0.5, description="share of the target's utility, above chance, below which it has")
    parts: tuple[MetricName, ...] = Field((), description="metrics whose details get a table of their own")
    formulas: dict[MetricName, str] = Field(
        default_factory=dict,
        description="how a metric is made of others, by its name: a note below tables that have it",
    )
    chance: dict[MetricName, Real] = Field(default_factory=dict, description="what guessing gives, by metric")
    gate: dict[MetricName, Fraction] = Field(
        default_factory=dict, description="share of the target's value, by metric, that a method needs to be ranked"
    )
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
