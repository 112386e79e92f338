"""The body of ``blur init``: a folder in which Snakemake runs the package's graph on an owner's model and texts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template as Text

from blur.core.errors import ConfigError, DataError
from blur.core.files import atomic_write_text, temporary_folder
from blur.core.shipped import SHIPPED
from blur.models.origin import positions, read_config, read_tokenizer
from blur.owner.models import LONGEST, default_device, require_place, template_for
from blur.owner.texts import read_texts

FILES = SHIPPED / "workflow" / "own"
TEXTS = "texts"
PROFILES = ("profiles/default/config.yaml", "profiles/slurm/config.yaml")
_OUR_SCALE = "config: scale=paper\n"  # of the profile `slurm`; the folder's own is in its config.yaml


def init(folder: Path, model: str, texts: Mapping[str, str | None]) -> list[str]:
    """Write the workflow of one model and its texts; return what was understood, a line each.

    The texts stay where they are: the folder has links to them.

    Args:
        folder: where nothing is yet.
        model: a folder, or a name on the hub.
        texts: by ``forget``, ``keep`` and ``unseen``, a file or a folder each; the last may be None.

    Raises:
        ConfigError: there is something at ``folder``, or the model cannot be read.
        DataError: a text is no file or folder, or cannot be read.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError("there is something already", str(folder), "Name another folder, or remove it")
    places = {name: _place(name, path) for name, path in texts.items() if path}
    read = read_texts(places["forget"], places["keep"], places.get("unseen"))
    require_place(model)
    known = Path(model).resolve() if Path(model).is_dir() else model
    config, tokenizer = read_config(str(known)), read_tokenizer(str(known))
    stored = str(getattr(config, "dtype", None) or "float32").removeprefix("torch.")
    told = {
        "device": default_device(),
        "form": read.form,
        "model": json.dumps(str(known)),
        "dtype": stored,
        "length": str(min(positions(config) or LONGEST, LONGEST)),
        "template": json.dumps(template_for(tokenizer).model_dump(mode="json", exclude_defaults=True)),
    }
    with temporary_folder(folder.absolute()) as temporary:
        made = temporary / "made"
        for name, text in _files(told):
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            atomic_write_text(made / name, text)
        (made / TEXTS).mkdir()
        for name, place in places.items():
            (made / TEXTS / f"{name}{place.suffix}").symlink_to(place)
        (made / "slurm").symlink_to("profiles/slurm")
        made.rename(folder)
    return read.told


def _place(name: str, path: str) -> Path:
    if not Path(path).exists():
        raise DataError("no such file or folder", f"--{name} {path}", "Mend the path: the graph reads files")
    return Path(path).resolve()


def _files(told: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what is written: names, and texts."""
    for path in sorted(path for path in FILES.rglob("*") if path.is_file()):
        yield path.relative_to(FILES).as_posix(), Text(path.read_text(encoding="utf-8")).substitute(told)
    for name in PROFILES:
        yield name, (SHIPPED / name).read_text(encoding="utf-8").replace(_OUR_SCALE, "")
