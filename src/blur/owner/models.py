"""An owner's model: a folder or a name on the hub, an adapter on its base, or a model in memory."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blur.core.errors import ArtifactError, ConfigError, one_line
from blur.core.files import read_json
from blur.models.io import TEMPLATE, LoadedModel, load, load_pretrained, refuse_pickles
from blur.models.origin import ADAPTER, positions
from blur.models.template import Template
from blur.models.turn import check_form
from blur.models.weights import require_finite

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LONGEST = 1024  # tokens of a text at most, whatever the model has positions for: memory grows with them
_CHATS: tuple[dict[str, Any], ...] = ({}, {"enable_thinking": False})  # options of a chat template, first fit first


@dataclass(frozen=True)
class OwnModel:
    """A model in evaluation mode, as whoever uses it meets it.

    Attributes:
        name: as the owner gave it.
        loaded: model, tokenizer and template.
        max_length: most tokens of a text that it reads.
        adapter: folder of the adapter that is merged in; None where there was none.
    """

    name: str
    loaded: LoadedModel
    max_length: int
    adapter: str | None = None

    @cached_property
    def sha256(self) -> str:
        """Hash of the weights as they are now, whatever files they came from."""
        return weights_sha256(self.loaded.model)

    @property
    def told(self) -> list[str]:
        """What was understood of it, a line each."""
        model, template = self.loaded.model, self.loaded.template
        asked = "the tokenizer's chat template" if template.use_chat_template else repr(template.prompt)
        size = (
            f"{sum(one.numel() for one in model.parameters()):,} weights in {str(model.dtype).removeprefix('torch.')}"
        )
        lines = [f"{model.config.model_type}, {size}; texts of up to {self.max_length} tokens; questions by {asked}"]
        return lines + ["an adapter, merged into its base: what is made of it is a whole model"] * bool(self.adapter)


def open_model(name: str, *, device: str | None = None, template: Template | None = None) -> OwnModel:
    """Load a model for an owner.

    An adapter's folder is loaded on its base and merged into it, which is the model that its owner uses.

    Args:
        name: a folder, of this project or of any causal LM of transformers, or of an adapter of peft; or a name on the
            Hugging Face hub, with ``@revision`` where one is meant.
        device: by default the GPU where there is one, else the CPU.
        template: of a prompt; by default ``template_for`` the tokenizer.

    Raises:
        ArtifactError, ConfigError: as ``blur.models.io`` refuses a model; or the adapter does not fit its base.
    """
    place = device or default_device()
    require_device(place)
    require_place(name)
    folder = Path(name)
    if (folder / ADAPTER).is_file():
        return _own(name, _merged(folder, place, template or template_for), adapter=name)
    if (folder / TEMPLATE).is_file() and template is None:
        return _own(name, load(folder, device=place))
    return _own(name, _plain(name, place, template or template_for))


def require_place(name: str) -> None:
    """Refuse a file, and a folder that is not there; a hub's name is left to the hub.

    Raises:
        ConfigError: it is one of these.
    """
    folder = Path(name)
    if folder.is_file():
        raise ConfigError("a file, and a model is a folder", name, f"Give its folder: {folder.parent}")
    if not folder.exists() and name.startswith((".", "/", "~")):
        raise ConfigError("there is no such folder", name, "Mend the path, or give a name on the hub: owner/name")


def in_memory(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    template: Template | None = None,
    name: str = "in memory",
) -> OwnModel:
    """Take a model in memory; it is put in evaluation mode.

    Raises:
        ConfigError: it is inside an adapter's wrapper of peft, or the tokenizer does not go with the template.
        ArtifactError: a weight is NaN or infinite.
    """
    if hasattr(model, "peft_config"):
        raise ConfigError("the model is wrapped by peft", name, "Give what `merge_and_unload()` returns")
    chosen = template or template_for(tokenizer)
    check_form(chosen, tokenizer)
    require_finite(model.named_parameters(), name, "Give whole weights")
    return _own(name, LoadedModel(model.eval(), tokenizer, chosen))


def template_for(tokenizer: PreTrainedTokenizerBase) -> Template:
    """Return how a question is put: by the tokenizer's chat template where it has one that fits, else plainly.

    A template that can think aloud is asked not to. Where the tokenizer knows no token that ends a text, none ends an
    answer.
    """
    for options in _CHATS if tokenizer.chat_template else ():
        template = Template(use_chat_template=True, options=options)
        try:
            check_form(template, tokenizer)
        except ConfigError:
            continue
        return template
    return Template(add_eos=tokenizer.eos_token_id is not None)


def default_device() -> str:
    """Return the GPU where there is one, else the CPU."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def require_device(device: str) -> None:
    """Refuse a device that there is not.

    Raises:
        ConfigError: names what there is.
    """
    import torch

    kind, _, number = device.partition(":")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if kind not in ("cpu", "cuda") or not (number or "0").isdigit() or int(number or 0) >= count:
        there = ", ".join(["cpu", *(f"cuda:{one}" for one in range(torch.cuda.device_count()))])
        raise ConfigError(f"there is no device {device!r}", "--device", f"There is: {there}")


def weights_sha256(model: Module) -> str:
    """Return a hash of a model's weights: names, types, shapes and bytes; the same for each way to store them."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(repr((name, str(tensor.dtype), tuple(tensor.shape))).encode())
        content = tensor.detach().to("cpu").contiguous().reshape(-1).view(torch.uint8)
        digest.update(memoryview(content.numpy()))
    return digest.hexdigest()


def _own(name: str, loaded: LoadedModel, adapter: str | None = None) -> OwnModel:
    limit = positions(loaded.model.config)
    return OwnModel(name, loaded, min(limit or LONGEST, LONGEST), adapter)


def _plain(
    name: str, device: str, template: Template | Callable[[Any], Template], tokenizer: str | None = None
) -> LoadedModel:
    repo, at, revision = (name, "", "") if Path(name).exists() else name.partition("@")
    return load_pretrained(repo, revision if at else None, template=template, tokenizer=tokenizer, device=device)


def _merged(folder: Path, device: str, template: Template | Callable[[Any], Template]) -> LoadedModel:
    """Load an adapter on its base, and merge it in."""
    from peft import PeftModel

    file = folder / ADAPTER
    refuse_pickles(folder, unless_safe=True)
    told = _adapter(file)
    own_tokenizer = str(folder) if (folder / "tokenizer_config.json").is_file() else None
    loaded = _plain(_base(told, file), device, template, own_tokenizer)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Found missing adapter keys")
            wrapped: Any = PeftModel.from_pretrained(loaded.model, str(folder))
        merged = wrapped.merge_and_unload().eval()
    except Exception as error:  # whatever peft meets in an adapter that is not the base's
        what = f"the adapter does not go with its base ({one_line(error)})"
        raise ArtifactError(what, str(folder), "Give its own base in `base_model_name_or_path`") from error
    require_finite(merged.named_parameters(), str(folder), "Train the adapter again, at a lower learning rate")
    return replace(loaded, model=merged)


def _adapter(file: Path) -> dict[str, Any]:
    try:
        told = read_json(file)
    except (ValueError, OSError, RecursionError) as error:
        raise ArtifactError(f"no JSON ({one_line(error)})", str(file), "Save the adapter again") from error
    if not isinstance(told, dict) or not told.get("base_model_name_or_path"):
        remedy = "Write there the folder of the model that the adapter was trained on"
        raise ArtifactError("it names no base", f"{file}: base_model_name_or_path", remedy)
    return told


def _base(told: dict[str, Any], file: Path) -> str:
    """Return where an adapter's base is: as it is named, seen from here or from the adapter's own folder."""
    name = str(told["base_model_name_or_path"])
    if not Path(name).exists() and (beside := file.parent / name).is_dir():
        return str(beside)
    if not Path(name).exists() and name.startswith((".", "/", "~")):
        remedy = "Write there the folder of the model that the adapter was trained on"
        raise ArtifactError(f"its base {name!r} is not there", f"{file}: base_model_name_or_path", remedy)
    return f"{name}@{told['revision']}" if told.get("revision") and not Path(name).exists() else name
