"""Metrics: pure functions from raw measurements to numbers with names. One module per metric, found by its name."""

from blur.metrics.kinds.base import Metric, MetricContext, check_specs, compute_all

__all__ = ["Metric", "MetricContext", "check_specs", "compute_all"]
