"""Model directories: written whole, read only if they are what their manifest says."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from blur.core import manifest as manifests
from blur.core.errors import ArtifactError, ConfigError
from blur.core.files import read_json, temporary_folder, write_json
from blur.core.remedy import to_make, to_mend
from blur.models.template import Template

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TEMPLATE = "template.json"
CARD = "README.md"
PICKLED = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}
T = TypeVar("T")


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
    """
    final = Path(directory)
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
    directory: Path | str, *, device: str = "cpu", dtype: str | None = None, manifest: dict[str, Any] | None = None
) -> LoadedModel:
    """Load a directory that ``save`` wrote, in evaluation mode, without network.

    Args:
        dtype: name of a torch type; by default that of the stored weights.
        manifest: what to verify the files against; by default ``manifest.json`` of the directory, where there is one.

    Raises:
        ArtifactError: the directory is incomplete, holds pickled weights, or a file differs from the manifest's hash.
    """
    folder = Path(directory)
    for name in ("config.json", TEMPLATE):
        if not (folder / name).is_file():
            raise ArtifactError(f"no {name}, so this is no model directory", str(folder), to_make(folder))
    _refuse_pickles(folder)
    if manifest is None and (folder / manifests.NAME).is_file():
        manifest = manifests.read(folder)
    if manifest is not None:
        manifests.check_files(folder, manifest)
    template = Template.model_validate(read_json(folder / TEMPLATE))
    model, tokenizer = _from_pretrained(str(folder), device, dtype, local_files_only=True)
    return LoadedModel(model, tokenizer, template, manifest)


def load_pretrained(
    name_or_path: str,
    revision: str | None = None,
    *,
    template: Template,
    tokenizer: str | None = None,
    device: str = "cpu",
    dtype: str | None = None,
) -> LoadedModel:
    """Load a model of the Hugging Face hub, from its cache where it is there, or of any directory in that form.

    Args:
        tokenizer: name or directory of the tokenizer, where the model brings none (MUSE's published models).

    Raises:
        ArtifactError: the directory holds pickled weights only.
        ConfigError: the name cannot be found, or the hub cannot be reached.
    """
    if Path(name_or_path).is_dir():
        _refuse_pickles(Path(name_or_path), unless_safe=True)
    if tokenizer is None:
        return LoadedModel(*_from_pretrained(name_or_path, device, dtype, revision=revision), template)
    model = _model(name_or_path, device, dtype, revision=revision)
    return LoadedModel(model, _tokenizer(tokenizer), template)


def _refuse_pickles(folder: Path, unless_safe: bool = False) -> None:
    """Pickled weights run code when they are read; ``unless_safe`` lets them lie beside safetensors, unread."""
    if unless_safe and any(folder.glob("*.safetensors")):
        return
    for path in sorted(folder.iterdir()):
        if path.suffix in PICKLED:
            remedy = "Convert the weights to safetensors and remove the file"
            raise ArtifactError("pickled weights are refused", str(path), remedy)


def _from_pretrained(
    name: str, device: str, dtype: str | None, **where: Any
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    tokenizer = _tokenizer(name, **where)
    return _model(name, device, dtype, **where), tokenizer


def _tokenizer(name: str, **where: Any) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    return _read(AutoTokenizer.from_pretrained, name, **where)


def _model(name: str, device: str, dtype: str | None, **where: Any) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM

    _hide_progress_bars()
    model: Any = _read(AutoModelForCausalLM.from_pretrained, name, dtype=dtype or "auto", use_safetensors=True, **where)
    return cast("PreTrainedModel", model.to(device).eval())


def _read(loader: Callable[..., T], name: str, **options: Any) -> T:
    try:
        return loader(name, trust_remote_code=False, **options)
    except OSError as error:
        raise _not_found(name, error) from error


def _hide_progress_bars() -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()


def _not_found(name: str, error: OSError) -> ConfigError | ArtifactError:
    what = str(error).strip().splitlines()[0].rstrip(".")
    if Path(name).is_dir():
        return ArtifactError(f"cannot be loaded: {what}", name, to_mend(Path(name)))
    return ConfigError(
        f"cannot be had from the Hugging Face hub or its cache: {what}",
        f"model {name!r}",
        "Give a local directory; or, where compute nodes have no network, fetch it once on a login node with "
        f"`hf download {name}` and set HF_HUB_OFFLINE=1",
    )
