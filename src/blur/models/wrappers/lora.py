"""Low-rank adapters (Hu et al., arXiv 2106.09685) through peft, merged into the weights at the end, and kept as well.

Merged, an adapter cannot be left out, but whoever has it can subtract it. Not merged, the weights are those from
before: whoever loads them alone has a model that has forgotten nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from blur.core.errors import ConfigError
from blur.core.files import read_json, write_json
from blur.core.settings import BelowOne, Count, Flag, Positive
from blur.models.anatomy import Anatomy, Shape
from blur.models.wrappers.base import WrapperBase

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedModel

    from blur.models.maps import LinearMap

# peft takes layers of a mixture with these names for experts of transformers 4, and adapts the fused ones instead.
RENAMED = {"gate_proj", "up_proj", "down_proj", "w1", "w2", "w3"}


class Wrapper(WrapperBase):
    """Adapters on linear maps, fused experts included, a router never; the base weights are frozen."""

    freezes: ClassVar[bool] = True
    distributed: ClassVar[bool] = False
    name: Literal["lora"] = "lora"
    rank: Count = Field(8, description="of each adapted matrix, and of each expert's")
    alpha: Positive = Field(16, description="the adapter is scaled by alpha / rank")
    dropout: BelowOne = 0.0
    targets: tuple[str, ...] | Literal["all-linear"] = Field(
        "all-linear", description="ends of names, such as q_proj; by default all linear maps that can be adapted"
    )
    merge: Flag = Field(
        True, description="into the stored weights; if not, they stay as they were, and the adapter is put around them"
    )

    @property
    def draws(self) -> bool:
        """Dropout in the adapters."""
        return self.dropout > 0

    @property
    def stays(self) -> bool:
        """Where it is not merged."""
        return not self.merge

    @property
    def width(self) -> int:
        """The rank."""
        return self.rank

    def adds(self, anatomy: Anatomy) -> dict[str, Shape]:
        """Return A [rank, in] and B [out, rank] of each adapted map, those of experts stacked."""
        found: dict[str, Shape] = {}
        for name in self.reaches(anatomy):
            stack, out, inputs = anatomy.maps[name]
            target, rank = name.removesuffix(".weight"), self.rank * stack
            found |= {f"{target}.lora_A": (rank, inputs), f"{target}.lora_B": (out, rank)}
        return found

    def reaches(self, anatomy: Anatomy) -> list[str]:
        """Return the names of the weights that get an adapter.

        Raises:
            ConfigError: a target matches nothing.
        """
        found = {name: name.removesuffix(".weight") for name in anatomy.maps}
        ends = self.targets if self.targets != "all-linear" else ("",)
        for end in ends:
            if not any(_ends_with(short, end) for short in found.values()):
                near = difflib.get_close_matches(end, {s.rpartition(".")[2] for s in found.values()}, n=3, cutoff=0)
                raise ConfigError(f"no linear map is called {end!r}", "wrapper.targets", f"Nearest: {', '.join(near)}")
        return [name for name, short in found.items() if any(_ends_with(short, end) for end in ends)]

    def wrap(self, model: Module) -> Module:
        """Put adapters on the model.

        Raises:
            ConfigError: a target matches nothing, or dropout is asked for where peft has none.
        """
        from peft import LoraConfig, get_peft_model

        from blur.models.anatomy import Built
        from blur.models.maps import adaptable_maps

        names = set(self.reaches(Built(model)))
        chosen = [one for one in adaptable_maps(model) if one.name in names]
        by_layer = [one for one in chosen if not _as_parameter(one, chosen)]
        parameters = [one.name for one in chosen if _as_parameter(one, chosen)]
        if parameters and self.dropout:
            raise ConfigError("peft has no dropout for fused experts", "wrapper.dropout", "Set it to 0")
        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]
            lora_dropout=self.dropout,
            target_modules=[one.path for one in by_layer],
            target_parameters=parameters or None,
            task_type="CAUSAL_LM",
        )
        plain: Any = model
        return get_peft_model(plain, config)

    def finish(self, model: Module, folder: Path | None) -> Module:
        """Save the adapter (safetensors) and return the base model, with it merged in or without it."""
        wrapped: Any = model
        if folder is not None:
            wrapped.save_pretrained(str(folder))
            path = folder / "adapter_config.json"
            config = read_json(path)
            for key in ("target_modules", "target_parameters"):  # sets in peft: their order is chance
                config[key] = config[key] and sorted(config[key])
            write_json(path, config)
        return wrapped.merge_and_unload() if self.merge else wrapped.unload()

    def around(self, model: PreTrainedModel, folder: Path) -> PreTrainedModel:
        """Merge the adapter in, where the stored weights do not have it."""
        return model if self.merge else _merged(model, folder, 1)

    def off(self, model: PreTrainedModel, folder: Path) -> PreTrainedModel:
        """Subtract the adapter, where it was merged in: what is left differs by one rounding of each weight."""
        return _merged(model, folder, -1) if self.merge else model


def _ends_with(name: str, end: str) -> bool:
    return not end or f".{name}".endswith(f".{end}")


def _merged(model: PreTrainedModel, folder: Path, sign: int) -> PreTrainedModel:
    """Add an adapter (peft's folder) to the weights, or subtract it, in place."""
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer

    wrapped: Any = PeftModel.from_pretrained(model, str(folder))
    for module in wrapped.modules():
        if isinstance(module, LoraLayer):
            module.scaling = {name: sign * value for name, value in module.scaling.items()}
    return wrapped.merge_and_unload().eval()


def _as_parameter(one: LinearMap, chosen: Sequence[LinearMap]) -> bool:
    """Whether peft is given a parameter's name, not a layer's."""
    return one.is_fused or (any(other.is_fused for other in chosen) and one.path.rpartition(".")[2] in RENAMED)
