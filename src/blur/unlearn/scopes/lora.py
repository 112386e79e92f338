"""Low-rank adapters (Hu et al., arXiv 2106.09685) through peft; merged into the weights at the end, and kept beside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from blur.core.files import read_json, write_json
from blur.core.settings import BelowOne, Count, Positive
from blur.unlearn.scope import ScopeBase

if TYPE_CHECKING:
    from torch.nn import Module


class Scope(ScopeBase):
    """Adapters on linear layers; the base weights are frozen."""

    sharded: ClassVar[bool] = False
    name: Literal["lora"] = "lora"
    rank: Count = 8
    alpha: Positive = Field(16, description="the adapter is scaled by alpha / rank")
    dropout: BelowOne = 0.0
    targets: tuple[str, ...] | Literal["all-linear"] = "all-linear"

    def apply(self, model: Module) -> Module:
        """Wrap the model; initial values come from torch's global generator."""
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]
            lora_dropout=self.dropout,
            target_modules=self.targets if isinstance(self.targets, str) else list(self.targets),
            task_type="CAUSAL_LM",
        )
        wrapped: Any = model
        return get_peft_model(wrapped, config)

    def finish(self, model: Module, adapter: Path | None) -> Module:
        """Save the adapter (safetensors) and return the base model with it merged in."""
        wrapped: Any = model
        if adapter is not None:
            wrapped.save_pretrained(str(adapter))
            path = adapter / "adapter_config.json"
            config = read_json(path)
            config["target_modules"] = sorted(config["target_modules"])  # a set in peft: its order is chance
            write_json(path, config)
        return wrapped.merge_and_unload()
