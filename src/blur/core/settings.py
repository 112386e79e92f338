"""The base of every settings model, and what its fields may hold: finite numbers with bounds, truth values, names.

A truth value is no number and a number no truth value, though Python has them so: `lr: yes` is a fault, not 1.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, StrictBool

if TYPE_CHECKING:
    Json = Any
else:
    Json = JsonValue
"""What JSON can hold, as other parts of YAML (dates, keys that are numbers) and infinite numbers cannot be."""

MOST = 10**9


class Strict(BaseModel):
    """A frozen model that refuses unknown keys and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _NoTruthValue:
    @staticmethod
    def check(value: Any) -> Any:
        """Refuse what Python would take for 0 or 1."""
        if isinstance(value, bool):
            raise ValueError("should be a number, not true or false")
        return value


_NUMBER = BeforeValidator(_NoTruthValue.check)

Flag = StrictBool
Whole = Annotated[int, _NUMBER, Field(ge=0, le=MOST)]
Count = Annotated[int, _NUMBER, Field(ge=1, le=MOST)]
Seed = Annotated[int, _NUMBER, Field(ge=0, lt=2**32)]
Real = Annotated[float, _NUMBER, Field(ge=-MOST, le=MOST, allow_inf_nan=False)]
NonNegative = Annotated[float, _NUMBER, Field(ge=0, le=MOST, allow_inf_nan=False)]
Positive = Annotated[float, _NUMBER, Field(gt=0, le=MOST, allow_inf_nan=False)]
Size = Annotated[float, _NUMBER, Field(gt=0, le=1e15, allow_inf_nan=False)]
"""A number of parameters."""
Rate = Annotated[float, _NUMBER, Field(gt=0, le=10, allow_inf_nan=False)]
"""A learning rate."""
Fraction = Annotated[float, _NUMBER, Field(ge=0, le=1, allow_inf_nan=False)]
BelowOne = Annotated[float, _NUMBER, Field(ge=0, lt=1, allow_inf_nan=False)]
Share = Annotated[float, _NUMBER, Field(gt=0, le=1, allow_inf_nan=False)]


@dataclass(frozen=True)
class Names:
    """Marks a text that names something: ``Annotated[str, Names("set")]`` (checked by ``blur.config.names``).

    Args:
        kind: what it names, in the word that errors use.
        until: what follows it is no part of the name: ``forget_quality.ks_statistic`` is a metric's detail.
    """

    kind: str
    until: str | None = None

    def name(self, text: str) -> str:
        """Return the name in a text."""
        return text.partition(self.until)[0] if self.until else text


AlternatesName = Annotated[str, Names("alternates")]
ArmName = Annotated[str, Names("arm")]
AttackName = Annotated[str, Names("attack")]
ColumnName = Annotated[str, Names("metric", until=".")]
MethodName = Annotated[str, Names("method")]
ModelPattern = Annotated[str, Names("model pattern")]
MetricName = Annotated[str, Names("metric")]
RequestName = Annotated[str, Names("request")]
RunName = Annotated[str, Names("run")]
SettingName = Annotated[str, Names("setting")]
SetName = Annotated[str, Names("set")]
StreamName = Annotated[str, Names("stream")]
VariantName = Annotated[str, Names("variant")]
VariantPattern = Annotated[str, Names("variant pattern")]
