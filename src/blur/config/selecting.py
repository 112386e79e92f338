"""By which metrics a run's epoch is chosen: looked up, and what cannot be is refused, before any job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.config.load import require_known
from blur.core.errors import ConfigError
from blur.metrics.specs import Spec
from blur.unlearn.select import REACHES, Select

if TYPE_CHECKING:
    from blur.config.plan import Plan
    from blur.config.task import Run


def selecting(plan: Plan, run: Run, select: Select, place: str) -> tuple[Spec, ...]:
    """Return the metrics that choose a run's epoch; none where its last one is taken.

    Args:
        place: how an error names ``select`` of the run's method.

    Raises:
        ConfigError: the task has no retrained model, the run is asked to forget something else than that model never
            saw, or a metric is not measured between epochs or has no better and worse.
    """
    if select.name == "last":
        return ()
    task, remedy = plan.task(run.task), "Take `select` out, or"
    if task.retrained is None:
        what = f"`name: {select.name}` needs a retrained model, and the task {run.task!r} has none"
        raise ConfigError(what, place, f"{remedy} give the task one ({task.place('retrained')})")
    if plan.request(run) is not None:
        what = f"the retrained model is that of the benchmark's own request, not of {run.variant!r}"
        raise ConfigError(what, place, f"{remedy} take {run.path} out of `runs`")
    known = {spec.name: spec for spec in plan.metrics(run.task, "trajectory")}
    for name in select.metrics:
        require_known("metric of an epoch's end", name, known, f"{place}.metrics")
        if (direction := known[name].better) not in REACHES:
            what = f"{name!r} is better the nearer it is to the retrained model's ({direction}): it is never past it"
            raise ConfigError(what, f"{place}.metrics", f"Name others: {', '.join(known)}")
    names = select.metrics or tuple(name for name, spec in known.items() if spec.better == "lower")
    if not names:
        what = "no metric of an epoch's end is better the lower it is"
        raise ConfigError(what, place, f"Name `metrics`, some of {', '.join(known) or 'those you add'}")
    return tuple(known[name] for name in names)
