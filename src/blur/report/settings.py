"""What a benchmark says about its results table."""

from __future__ import annotations

from pydantic import Field

from blur.core.settings import ColumnName, Fraction, MetricName, Real, Strict


class TableSettings(Strict):
    """``table`` of ``config/benchmarks/<benchmark>.yaml``. ``metric.detail`` names a detail of a metric."""

    columns: tuple[ColumnName, ...] = Field(description="metrics of the headline table", min_length=1)
    utility: MetricName = Field(description="metric that tells whether a model has collapsed; higher is better")
    collapsed: Fraction = Field(0.5, description="share of the target's utility, above chance, below which it has")
    parts: tuple[MetricName, ...] = Field((), description="metrics whose details get a table of their own")
    chance: dict[MetricName, Real] = Field(default_factory=dict, description="what guessing gives, by metric")
    requests: tuple[str, ...] = Field((), description="patterns of variants that are requests to forget (scal*, sust*)")
