"""The plan's attacks: which models are attacked in which ways, and the resolved settings of each attack on a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING

from blur.config.load import Layer, choice_of, require_known, suggest, validate
from blur.config.names import require_name, require_names
from blur.config.schema import AttackConfig, BenchmarkAttack
from blur.config.sizes import require_fit
from blur.core.errors import ConfigError
from blur.metrics.specs import Spec, reads_of, with_parts

if TYPE_CHECKING:
    from blur.attacks.kinds.base import AttackBase
    from blur.config.plan import Plan
    from blur.config.task import Run
    from blur.measure.settings import MeasureSettings


class Attacks:
    """The attacks of a plan.

    Args:
        plan: where tasks, runs and the scale come from.

    Raises:
        ConfigError: any file that is used is wrong; names file, key and remedy.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all attacks that have a file."""
        return self._plan.names("attacks")

    @cache  # noqa: B019 - a plan lives as long as its process
    def config(self, name: str) -> AttackConfig:
        """Return an attack's file, validated; a name without a file is an error with the nearest name."""
        require_known("attack", name, self.names, self._plan.place("attacks"))
        layer = self._plan.layer(f"attacks/{name}.yaml")
        require_name("attack", name, layer[0])
        return validate(AttackConfig, layer)

    @cache  # noqa: B019
    def pairs(self, task: str) -> tuple[tuple[Run, str], ...]:
        """Return the pairs of model and attack of a task, without doubles; target and retrained beside the runs."""
        plan, resolved, runs = self._plan, self._plan.task(task), self._plan.runs(task)
        references = [run for run in (resolved.target, resolved.retrained) if run]
        pairs: dict[tuple[Run, str], None] = {}
        own = resolved.config.attacked is not None
        where = resolved.place("attacked") if own else plan.scale_place("attacked")
        for selection in (resolved.config.attacked or ()) if own else plan.scale.attacked:
            for attack in selection.attacks:
                self._require(task, attack, where)
            chosen = plan.expand(task, selection, where)
            for missing in (run for run in chosen if run not in runs):
                raise ConfigError(f"{missing.path} is attacked, but is not among the runs", where, "Add it to `runs`")
            pairs |= {(run, attack): None for attack in selection.attacks for run in (*references, *chosen)}
        return tuple(pairs)

    def _require(self, task: str, name: str, where: str) -> None:
        """Refuse an attack that has no file, or that the benchmark says nothing about."""
        known = self._plan.task(task).benchmark.attacks
        require_known("attack", name, self.names, where)
        if name not in known:
            raise ConfigError(f"the benchmark has no attack {name!r}", where, suggest(name, known))

    def on(self, task: str, name: str) -> BenchmarkAttack:
        """Return what an attack does on a task's benchmark.

        Raises:
            ConfigError: there is no such attack, or the benchmark says nothing about it.
        """
        self._require(task, name, self._plan.benchmark_place(task, "attacks"))
        return self._plan.task(task).benchmark.attacks[name]

    @cache  # noqa: B019
    def settings(self, task: str, name: str) -> AttackBase:
        """Return an attack of the kind that its file names. Later settings win: attack, benchmark, scale, task."""
        config, layers = self.config(name), self._layers(task, name)
        place = f"{self._plan.place(f'attacks/{name}.yaml')}: module"
        kind: type[AttackBase] = choice_of("blur.attacks.kinds", "Attack", config.module, place)
        _check_left_out(layers)
        settings = validate(kind, *layers)
        require_names(settings, {"set": self._plan.task(task).data.set_names}, *layers)
        require_fit(settings, self._plan.task(task).sizes, *layers)
        return settings

    def arms(self, task: str, name: str) -> set[str]:
        """Return the names of an attack's arms, those included that the task or the scale leaves out."""
        said = [content.get("arms") for _, content in self._layers(task, name)]
        return {arm for arms in said if isinstance(arms, Mapping) for arm in arms}

    def _layers(self, task: str, name: str) -> list[Layer]:
        config, on = self.config(name), self.on(task, name)
        return [
            (f"{self._plan.place(f'attacks/{name}.yaml')}: settings", config.settings),
            (f"{self._place(task, name)}.settings", on.settings),
            *self._plan.scale_layers("attacks", name),
            *self._plan.task(task).said("attacks", name),
        ]

    @cache  # noqa: B019 - a plan lives as long as its process
    def measure(self, task: str, name: str) -> MeasureSettings:
        """Return what is measured of an attacked model: of the benchmark's suite what the attack's metrics look up.

        Raises:
            ConfigError: the suite lacks something of it.
        """
        wanted = reads_of(self.metrics(task, name)[0])
        place = f"{self._place(task, name)}.metrics"
        try:
            found = self._plan.measure_settings(task).only(**vars(wanted))
        except ValueError as error:
            raise ConfigError(str(error), place) from None
        if found.fluency:
            what = "`fluency` is judged by the model before unlearning, which is at hand in no attack"
            raise ConfigError(what, place, "Name metrics that are not made of it")
        return found

    def metrics(self, task: str, name: str) -> tuple[list[Spec], list[str]]:
        """Return the metrics of an attacked model, those they are made of included, and the names of the judges.

        Raises:
            ConfigError: one of them is no metric of the benchmark, or not among the attack's.
        """
        on, specs = self.on(task, name), self._plan.metrics(task)
        known = [spec.name for spec in specs]
        chosen, judges = on.metrics or known, on.judged_by or self._plan.task(task).benchmark.judged_by.forget
        for metric, among in (*((one, known) for one in chosen), *((one, chosen) for one in judges)):
            require_known("metric", metric, among, self._place(task, name))
        return with_parts(chosen, specs), list(judges)

    def _place(self, task: str, name: str) -> str:
        return self._plan.benchmark_place(task, f"attacks.{name}")


def _check_left_out(layers: Sequence[Layer]) -> None:
    """Refuse to leave out (by null) an arm that no file before has."""
    known: set[str] = set()
    for place, content in layers:
        arms = content.get("arms")
        for name, arm in (arms if isinstance(arms, Mapping) else {}).items():
            if arm is None and name not in known:
                raise ConfigError(f"no arm {name!r} to leave out", f"{place}.arms", suggest(name, sorted(known)))
            known.add(name)
