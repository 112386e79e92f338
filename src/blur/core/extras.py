"""What is installed beside the core: the extras of ``pyproject.toml``, as the installed package tells them."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires

from blur.core.errors import BlurError

DISTRIBUTION = "blur-unlearning"
_EXTRA = re.compile(r"^([\w.-]+).*; *extra *== *['\"]([\w-]+)['\"]")


def lacking(error: Exception) -> BlurError | None:
    """Return what a person is told of a module or program that an extra would bring; None for any other error."""
    missing = {ModuleNotFoundError: "name", FileNotFoundError: "filename"}.get(type(error), "")
    name = str(getattr(error, missing, "")).partition(".")[0]
    extra = _extras().get(name)
    if extra is None:
        return None
    return BlurError(f"{name} is not installed", remedy=f"Type `pip install '{DISTRIBUTION}[{extra}]'`")


def _extras() -> dict[str, str]:
    """Return the extra of each module that one brings, its name being that of what is installed, with underscores."""
    try:
        found = map(_EXTRA.match, requires(DISTRIBUTION) or ())
    except PackageNotFoundError:  # a source tree that is on the path and not installed
        return {}
    return {one[1].replace("-", "_").lower(): one[2] for one in found if one}
