"""Quantization: round the weights; small updates of unlearning may vanish in the rounding (arXiv 2410.16454).

The share of weights whose integer code equals the target's (``collision_rate``) tells how much of the update is left,
and the share of weights that a scheme quantizes at all (``covered``) whether the attack says anything of the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from blur.attacks.kinds.base import AttackBase
from blur.attacks.point import COVERED, Point
from blur.attacks.quantizers.base import QuantizerBase, collision_rate
from blur.attacks.victim import Victim
from blur.core.choice import Axis
from blur.core.settings import Count, SetName

Quantizer = Annotated[QuantizerBase, Axis("blur.attacks.quantizers", "Quantizer")]


class Attack(AttackBase):
    """One arm for each scheme."""

    name: Literal["quantize"] = "quantize"
    of_target: ClassVar[bool] = True
    arms: Mapping[str, Quantizer]
    calibration: tuple[SetName, ...] = Field((), description="sets for schemes that look at activations")
    num_texts: Count = Field(64, description="their first records, of each set")

    @property
    def modules(self) -> list[str]:
        """Modules of the schemes."""
        return sorted({type(self).__module__, *(type(arm).__module__ for arm in self.arms.values())})

    def strike(self, arm: str, victim: Victim) -> dict[str, Point]:
        """Quantize a copy with one scheme and measure it."""
        from blur.models.maps import covered_share

        scheme = self.arms[arm]
        reason = scheme.unavailable()
        if reason:
            return {"": Point(None, {"reason": reason})}
        loaded = victim.load()
        records = [record for name in self.calibration for record in victim.records([name])[: self.num_texts]]
        calibration = victim.examples(loaded, records)
        victim.progress(0, 1, arm)
        measured = victim.measure(scheme.quantize(loaded.model, calibration))
        about = {COVERED: covered_share(loaded.model, {one.name for one in scheme.covers(loaded.model)})}
        if codes := scheme.codes(loaded.model):
            about["collision_rate"] = collision_rate(codes, scheme.codes(victim.load_target().model))
        return {"": Point(measured, about)}
