"""Metrics: pure functions from raw measurements to numbers with names. Each is one module of ``kinds``."""

from blur.metrics.kinds.base import Outcome
from blur.metrics.specs import compute_all, read_specs

__all__ = ["Outcome", "compute_all", "read_specs"]
