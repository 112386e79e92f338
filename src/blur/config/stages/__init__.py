"""All there is to know of each stage, told once: rules, command line, stages and planner read it here."""

from blur.config.stages.base import Result, Stage
from blur.config.stages.drawings import Figures, Robustness, Table
from blur.config.stages.measured import Attack, AttackMetrics, Evaluate, Metrics
from blur.config.stages.models import Base, Data, Derive, Train, Unlearn, unbuilt_sets

__all__ = ["STAGES", "Result", "Stage", "unbuilt_sets"]

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Data(),
        Base(),
        Train(),
        Derive(),
        Unlearn(),
        Evaluate(),
        Metrics(),
        Attack(),
        AttackMetrics(),
        Figures(),
        Table(),
        Robustness(),
    )
}
