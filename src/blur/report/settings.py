"""What a benchmark says about its results table."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TableSettings(BaseModel):
    """``table`` of ``config/benchmarks/<benchmark>.yaml``. ``metric.detail`` names a detail of a metric."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: tuple[str, ...] = Field(description="metrics of the headline table", min_length=1)
    utility: str = Field(description="metric that tells whether a model has collapsed; higher is better")
    collapsed: float = Field(0.5, description="share of the target's utility, above chance, below which it has")
    parts: tuple[str, ...] = Field((), description="metrics whose details get a table of their own")
    chance: dict[str, float] = Field(default_factory=dict, description="what guessing gives, by metric")
    requests: tuple[str, ...] = Field((), description="patterns of variants that are requests to forget (scal*, sust*)")
