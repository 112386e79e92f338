"""nltk's Porter stemmer without the rest of nltk, whose import takes two seconds.

The stemmer is one module, but Python runs the packages around a module first, and nltk's import everything they have.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec, module_from_spec


def porter_stem() -> Callable[[str], str]:
    """Return the function that stems a word: Porter's algorithm with nltk's extensions, as ``rouge_score`` takes it.

    Where nltk is not imported yet, its packages are there for the time of the import only, and are not run.
    """
    if "nltk" in sys.modules:
        return _stemmer()
    before = set(sys.modules)
    for package in ("nltk", "nltk.stem"):
        spec = find_spec(package)
        if spec is None:
            raise ModuleNotFoundError(f"no module named {package!r}", name=package)
        sys.modules[package] = module_from_spec(spec)
    try:
        return _stemmer()
    finally:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] == "nltk":
                del sys.modules[name]


def _stemmer() -> Callable[[str], str]:
    stem: Callable[[str], str] = import_module("nltk.stem.porter").PorterStemmer().stem
    return stem
