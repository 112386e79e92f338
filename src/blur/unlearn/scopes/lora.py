"""Low-rank adapters (Hu et al., arXiv 2106.09685) through peft; merged into the weights at the end, and kept beside.

Which weights are adapted is read off the model, since peft's own ``all-linear`` leaves out a mixture's fused experts,
or adapts its router.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from blur.core.errors import ConfigError
from blur.core.files import read_json, write_json
from blur.core.settings import BelowOne, Count, Positive
from blur.unlearn.scopes.base import ScopeBase

if TYPE_CHECKING:
    from torch.nn import Module

    from blur.models.maps import LinearMap

# peft takes layers of a mixture with these names for experts of transformers 4, and adapts the fused ones instead.
RENAMED = {"gate_proj", "up_proj", "down_proj", "w1", "w2", "w3"}


class Scope(ScopeBase):
    """Adapters on linear maps, fused experts included, a router never; the base weights are frozen."""

    sharded: ClassVar[bool] = False
    name: Literal["lora"] = "lora"
    rank: Count = Field(8, description="of each adapted matrix, and of each expert's")
    alpha: Positive = Field(16, description="the adapter is scaled by alpha / rank")
    dropout: BelowOne = 0.0
    targets: tuple[str, ...] | Literal["all-linear"] = Field(
        "all-linear", description="ends of names, such as q_proj; by default all linear maps that can be adapted"
    )

    def apply(self, model: Module) -> Module:
        """Wrap the model; initial values come from torch's global generator.

        Raises:
            ConfigError: a target matches nothing, or dropout is asked for where peft has none.
        """
        from peft import LoraConfig, get_peft_model

        chosen = self._chosen(model)
        by_layer = [one for one in chosen if not _as_parameter(one, chosen)]
        parameters = [one.name for one in chosen if _as_parameter(one, chosen)]
        if parameters and self.dropout:
            raise ConfigError("peft has no dropout for fused experts", "scope.dropout", "Set it to 0")
        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]
            lora_dropout=self.dropout,
            target_modules=[one.path for one in by_layer],
            target_parameters=parameters or None,
            task_type="CAUSAL_LM",
        )
        wrapped: Any = model
        return get_peft_model(wrapped, config)

    def reached(self, model: Module) -> set[str]:
        """Return the names of the weights that get an adapter."""
        return {one.name for one in self._chosen(model)}

    def adapts(self, name: str) -> bool:
        """Whether a linear map is among the targets, by its layer's name, or its parameter's for fused experts."""
        return self.targets == "all-linear" or any(f".{name}".endswith(f".{end}") for end in self.targets)

    def _chosen(self, model: Module) -> list[LinearMap]:
        from blur.models.maps import adaptable_maps

        found = {one.name.removesuffix(".weight"): one for one in adaptable_maps(model)}
        for end in self.targets if self.targets != "all-linear" else ():
            if not any(f".{name}".endswith(f".{end}") for name in found):
                near = difflib.get_close_matches(end, {name.rpartition(".")[2] for name in found}, n=3, cutoff=0)
                raise ConfigError(f"no linear map is called {end!r}", "scope.targets", f"Nearest: {', '.join(near)}")
        return [one for name, one in found.items() if self.adapts(name)]

    def finish(self, model: Module, adapter: Path | None) -> Module:
        """Save the adapter (safetensors) and return the base model with it merged in."""
        wrapped: Any = model
        if adapter is not None:
            wrapped.save_pretrained(str(adapter))
            path = adapter / "adapter_config.json"
            config = read_json(path)
            for key in ("target_modules", "target_parameters"):  # sets in peft: their order is chance
                config[key] = config[key] and sorted(config[key])
            write_json(path, config)
        return wrapped.merge_and_unload()


def _as_parameter(one: LinearMap, chosen: Sequence[LinearMap]) -> bool:
    """Whether peft is given a parameter's name, not a layer's."""
    return one.is_fused or (any(other.is_fused for other in chosen) and one.path.rpartition(".")[2] in RENAMED)
