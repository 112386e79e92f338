"""The tensors of a model: whole files, one for each of the model's, of its shape, and finite.

transformers fills what a file lacks with random numbers, skips what the model lacks, and says so in a report that
nobody reads. Its loader is asked for that report here, and a report of anything is an error. The same loader, run on
tensors without numbers (``torch.device("meta")``) made from the files' headers, tells the same of a folder in no time.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from blur.core.errors import ArtifactError, BlurError, one_line
from blur.core.files import read_json
from blur.core.remedy import to_mend

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PretrainedConfig, PreTrainedModel

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
TOLD = {"output_loading_info": True, "ignore_mismatched_sizes": True}  # options of a loader that tells everything
Loader = Callable[[], tuple[Any, Mapping[str, Any]]]  # gives a model, and what transformers tells of its loading


@dataclass(frozen=True)
class Header:
    """What a safetensors file tells of one of its tensors."""

    file: Path
    dtype: str  # F32, BF16, I8 ...
    shape: tuple[int, ...]


def headers(folder: Path) -> dict[str, Header]:
    """Read the headers of a folder's weights: each tensor by its name; no numbers are read.

    Raises:
        ArtifactError: there are no safetensors, a shard is missing, a file is cut off, or weights are quantized.
    """
    from safetensors import SafetensorError, safe_open

    found: dict[str, Header] = {}
    for file in _files(folder):
        try:
            with safe_open(file, framework="pt") as handle:
                for name in handle.keys():  # noqa: SIM118 - no mapping
                    part = handle.get_slice(name)
                    found[name] = Header(file, part.get_dtype(), tuple(part.get_shape()))
        except (SafetensorError, OSError) as error:
            raise ArtifactError(f"no whole safetensors file ({error})", str(file), to_mend(folder)) from error
    for name, header in found.items():
        if name.endswith("weight") and header.dtype not in FLOATS:
            remedy = "Give the model in float32, bfloat16 or float16: what is quantized cannot be trained"
            raise ArtifactError(f"{name} is of type {header.dtype}", str(header.file), remedy)
    return found


def _files(folder: Path) -> list[Path]:
    """Return the files that transformers reads of a folder, all of which are there."""
    if (folder / WHOLE).is_file():
        return [folder / WHOLE]
    if not (folder / INDEX).is_file():
        raise ArtifactError(f"no weights: neither {WHOLE} nor {INDEX}", str(folder), to_mend(folder))
    try:
        named = sorted(set(read_json(folder / INDEX)["weight_map"].values()))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ArtifactError(
            "no index of shards by tensor (`weight_map`)", str(folder / INDEX), to_mend(folder)
        ) from error
    for name in named:
        if not (folder / str(name)).is_file():
            raise ArtifactError(f"the shard {name} is missing", str(folder / INDEX), to_mend(folder))
    return [folder / str(name) for name in named]


def without_numbers(config: PretrainedConfig, found: Mapping[str, Header], folder: Path) -> PreTrainedModel:
    """Fit a folder's headers to the model of its configuration, on the meta device, as ``fitted`` does.

    Raises:
        ArtifactError: they are not the model's.
    """
    import torch
    from transformers import AutoModelForCausalLM

    def load() -> Any:
        with torch.device("meta"):
            kind: Any = type(AutoModelForCausalLM.from_config(config))
            empty = {
                name: torch.empty(header.shape, dtype=getattr(torch, FLOATS.get(header.dtype, "float32")))
                for name, header in found.items()
            }
        return kind.from_pretrained(None, config=config, state_dict=empty, device_map="meta", **TOLD)

    return cast("PreTrainedModel", fitted(load, str(folder), found))


def fitted(load: Loader, place: str, found: Mapping[str, Header] | None = None) -> Any:
    """Load a model, and refuse weights that are not its own.

    Args:
        load: calls ``from_pretrained`` with ``TOLD``.
        place: the folder, or how an error names a model of the hub.
        found: headers of the folder's files, to name the file.

    Raises:
        ArtifactError: a tensor is missing, left over, of another shape, or cannot be joined from those in the files.
    """
    with _held_back() as reports:
        try:
            model, told = load()
        except (BlurError, OSError):
            raise
        except Exception as error:  # each type of model is built in its own way
            joined = re.search(r"^\W*([\w.]+)[^\w\n]+CONVERSION", "\n".join(reports), re.MULTILINE)
            what = (
                f"the tensors in the files do not make up {joined[1]}: one is missing or of another shape"
                if joined
                else (f"it cannot be loaded ({one_line(error)})")
            )
            raise ArtifactError(what, place, remedy_for(place)) from error
    name = type(model).__name__
    for tensor, theirs, own in sorted(told["mismatched_keys"]):
        file = found[tensor].file if found and tensor in found else place
        what = f"{tensor} has the shape {list(theirs)}, and that of {name} has {list(own)}"
        raise ArtifactError(what, str(file), remedy_for(place))
    if missing := sorted(told["missing_keys"]):
        raise ArtifactError(f"the weights lack {_first(missing)} of {name}", place, remedy_for(place))
    if left := sorted(told["unexpected_keys"]):
        raise ArtifactError(f"the weights hold {_first(left)}, which {name} has not", place, remedy_for(place))
    return model


def require_finite(tensors: Iterable[tuple[str, Tensor]], place: str, remedy: str) -> None:
    """Refuse a tensor that holds NaN or infinity.

    Raises:
        ArtifactError: names the first one, and how many of its numbers are at fault.
    """
    for name, tensor in tensors:
        if tensor.is_floating_point() and not (finite := tensor.isfinite()).all():
            bad = int((~finite).sum())
            raise ArtifactError(f"{name} holds NaN or infinity ({bad} of {tensor.numel()} numbers)", place, remedy)


def _first(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} other tensors"


def remedy_for(place: str) -> str:
    """Return what mends weights that are not the model's."""
    cause = "Configuration and weights are of different models, or a file is missing"
    return f"{cause}. {to_mend(Path(place))}" if Path(place).is_dir() else cause


@contextmanager
def _held_back() -> Iterator[list[str]]:
    """Collect what transformers would log of a loading."""
    reports: list[str] = []

    def hold(record: logging.LogRecord) -> bool:
        reports.append(record.getMessage())
        return False

    logger = logging.getLogger("transformers.modeling_utils")
    logger.addFilter(hold)
    try:
        yield reports
    finally:
        logger.removeFilter(hold)
