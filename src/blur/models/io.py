"""Model directories: written whole, read only if they are what their manifest says."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from blur.core import hub
from blur.core import manifest as manifests
from blur.core.choice import build
from blur.core.errors import ArtifactError, ConfigError
from blur.core.files import read_json, temporary_folder, write_json
from blur.core.remedy import to_make, to_mend
from blur.models.origin import (
    adapter_error,
    place_of,
    read_config,
    read_tokenizer,
    require_length,
    require_room,
)
from blur.models.template import Template
from blur.models.turn import check_form
from blur.models.weights import TOLD, fitted, headers, remedy_for, require_finite, without_numbers
from blur.models.wrappers import base as wrappers
from blur.models.wrappers.base import WrapperBase

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TEMPLATE = "template.json"
CARD = "README.md"
PICKLED = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}
T = TypeVar("T")
TemplateOf = Callable[["PreTrainedTokenizerBase"], Template]


@dataclass(frozen=True)
class LoadedModel:
    """A model in evaluation mode with all that is needed to use it."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    template: Template
    manifest: dict[str, Any] | None = None


def save(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    directory: Path | str,
    card_text: str,
) -> list[str]:
    """Write one ``model.safetensors``, configuration, tokenizer, ``template.json`` and the card ``README.md``.

    Each file appears whole or not at all; weights left by an earlier save go. The manifest is the caller's last act.

    Returns:
        The names of the files, sorted, for the manifest.

    Raises:
        ArtifactError: a weight is NaN or infinite.
    """
    final = Path(directory)
    require_finite(model.named_parameters(), str(final), "Lower the learning rate: the training left all bounds")
    with temporary_folder(final) as temporary:
        _hide_progress_bars()
        model.save_pretrained(temporary, max_shard_size="1000TB")
        tokenizer.save_pretrained(temporary)
        write_json(temporary / TEMPLATE, template.model_dump(mode="json"))
        (temporary / CARD).write_text(card_text, encoding="utf-8")
        return _move(temporary, final)


def _move(source: Path, target: Path) -> list[str]:
    target.mkdir(exist_ok=True)
    names = sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
    for stale in target.glob("*.safetensors*"):
        if stale.name not in names:
            stale.unlink()
    mode = (source / CARD).stat().st_mode
    for name in names:
        (source / name).chmod(mode)  # safetensors writes files that only their owner can read
        with open(source / name, "rb") as handle:
            os.fsync(handle.fileno())
        (target / name).parent.mkdir(exist_ok=True)
        os.replace(source / name, target / name)
    return names


def load(
    directory: Path | str,
    *,
    device: str = "cpu",
    dtype: str | None = None,
    manifest: dict[str, Any] | None = None,
    bare: bool = False,
) -> LoadedModel:
    """Load a directory that ``save`` wrote, in evaluation mode, without network, with what belongs around the model.

    Args:
        bare: without it: as whoever holds the weights can make the model.
        dtype: name of a torch type; by default that of the stored weights.
        manifest: what to verify the files against; by default ``manifest.json`` of the directory, where there is one.

    Raises:
        ArtifactError: the directory is incomplete, holds pickled weights or weights that are not the model's, or a file
            differs from the manifest's hash.
    """
    folder = Path(directory)
    for name in ("config.json", TEMPLATE):
        if not (folder / name).is_file():
            raise ArtifactError(f"no {name}, so this is no model directory", str(folder), to_make(folder))
    refuse_pickles(folder)
    if manifest is None and (folder / manifests.NAME).is_file():
        manifest = manifests.read(folder)
    if manifest is not None:
        manifests.check_files(folder, manifest)
    template = Template.model_validate(read_json(folder / TEMPLATE))
    loaded = _load(str(folder), template, device, dtype, manifest=manifest, local_files_only=True)
    wrapper = wrapper_of(folder, manifest or {})
    put = wrapper.off if bare else wrapper.around
    return replace(loaded, model=put(loaded.model, folder / wrappers.FOLDER))


def wrapper_of(folder: Path, manifest: Mapping[str, Any]) -> WrapperBase:
    """Return what a stored model's manifest says is around it.

    Raises:
        ArtifactError: there is no such wrapper here.
    """
    try:
        found = build(wrappers.PACKAGE, "Wrapper", manifest.get("wrapper", "none"))
    except ValueError as error:
        raise ArtifactError(str(error), f"{folder / manifests.NAME}: wrapper", to_mend(folder)) from None
    return cast("WrapperBase", found)


def load_pretrained(
    name_or_path: str,
    revision: str | None = None,
    *,
    template: Template | TemplateOf,
    max_length: int | None = None,
    tokenizer: str | None = None,
    device: str = "cpu",
    dtype: str | None = None,
) -> LoadedModel:
    """Load a model of the Hugging Face hub, from its cache where it is there, or of any directory in that form.

    Args:
        template: of the prompt; or what chooses one for the tokenizer that was read.
        max_length: most tokens of a text that the model will read.
        tokenizer: name or directory of the tokenizer, where the model brings none (MUSE's published models).

    Raises:
        ArtifactError: the directory holds pickled weights only, weights that are not the model's, or an adapter; or
            what came from the hub is not what the hub has.
        ConfigError: the name cannot be found, the hub cannot be reached, or the model is none that can be used.
    """
    if Path(name_or_path).is_dir():
        refuse_pickles(Path(name_or_path), unless_safe=True)
    with ExitStack() as whole:
        for name in {name_or_path, tokenizer or name_or_path}:
            if not Path(name).is_dir():
                whole.enter_context(hub.whole("model", name))
        # transformers would ask a service to convert pickled weights, and that opens a request at their owner's.
        os.environ["DISABLE_SAFETENSORS_CONVERSION"] = "1"
        return _load(name_or_path, template, device, dtype, max_length, tokenizer, revision=revision)


def look(name: str, template: Template, max_length: int, tokenizer: str | None = None) -> PreTrainedTokenizerBase:
    """Refuse what ``load_pretrained`` would refuse of a directory, NaN and infinity excepted; no weights are read.

    Returns:
        Its tokenizer.
    """
    _hide_progress_bars()
    folder = Path(name)
    refuse_pickles(folder, unless_safe=True)
    config = _read(read_config, name)
    require_length(config, max_length, name)
    found = _read(read_tokenizer, tokenizer or name, local_files_only=True)
    model = without_numbers(config, headers(folder), folder)
    _require_fit(model, found, template, name)
    return found


def refuse_pickles(folder: Path, unless_safe: bool = False) -> None:
    """Pickled weights run code when they are read; ``unless_safe`` lets them lie beside safetensors, unread."""
    if unless_safe and any(folder.glob("*.safetensors")):
        return
    for path in sorted(folder.iterdir()):
        if path.suffix in PICKLED:
            remedy = "Convert the weights to safetensors and remove the file"
            raise ArtifactError("pickled weights are refused", str(path), remedy)


def _load(
    name: str,
    template: Template | TemplateOf,
    device: str,
    dtype: str | None,
    max_length: int | None = None,
    tokenizer: str | None = None,
    manifest: dict[str, Any] | None = None,
    **where: Any,
) -> LoadedModel:
    from transformers import AutoModelForCausalLM

    _hide_progress_bars()
    place, folder = place_of(name), Path(name)
    config = _read(read_config, name, **where)
    if max_length is not None:
        require_length(config, max_length, name)
    found = _read(read_tokenizer, name, **where) if tokenizer is None else _read(read_tokenizer, tokenizer)
    chosen = template if isinstance(template, Template) else template(found)
    options = {"config": config, "dtype": dtype or "auto", "use_safetensors": True, **TOLD, **where}

    def load_weights() -> Any:
        return _read(AutoModelForCausalLM.from_pretrained, name, trust_remote_code=False, **options)

    model = fitted(load_weights, place, headers(folder) if folder.is_dir() else None)
    _require_fit(model, found, chosen, place)
    require_finite(model.named_parameters(), place, remedy_for(place))
    return LoadedModel(cast("PreTrainedModel", model.to(device).eval()), found, chosen, manifest)


def _require_fit(model: Any, tokenizer: PreTrainedTokenizerBase, template: Template, place: str) -> None:
    """Refuse an adapter's base, and a tokenizer or a template that does not go with the model."""
    if getattr(model, "_hf_peft_config_loaded", False):
        raise adapter_error(place)
    check_form(template, tokenizer)
    require_room(model.get_input_embeddings().num_embeddings, tokenizer, template, place)


def _read(reader: Callable[..., T], name: str, **options: Any) -> T:
    from httpx2 import TransportError

    try:
        return reader(name, **options)
    except (OSError, TransportError) as error:
        raise _not_found(name, error) from error


def _hide_progress_bars() -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()


def _not_found(name: str, error: Exception) -> ConfigError | ArtifactError:
    what = hub.reason(error)
    if Path(name).is_dir():
        return ArtifactError(f"cannot be loaded: {what}", name, to_mend(Path(name)))
    usual = (
        "Give a local directory; or, where compute nodes have no network, fetch it once on a login node with "
        f"`hf download {name}` and set HF_HUB_OFFLINE=1"
    )
    found = hub.remedy(error, "model", name) or usual
    return ConfigError(f"cannot be had from the Hugging Face hub or its cache: {what}", place_of(name), found)
