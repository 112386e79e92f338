"""Notes which modules of blur a stage really runs, and which ones its key names; Python imports it at its start.

It stands first in PYTHONPATH while the finished run is made (``conftest.made``). Each function of blur gets a call in
front that notes its module, once for each job; a profiler's hook on every call of every library would double the run.
What configuration does below a stage only makes settings, which are in the job's key: that is not noted.
"""

from __future__ import annotations

import builtins
import json
import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, FrameType, ModuleType
from typing import Any

FOLDER = os.environ["BLUR_EXECUTED"]
FINGERPRINT = "blur.core.fingerprint"
noted: set[tuple[str, ...]] = set()


def note(**facts: Any) -> None:
    """Append what the present job did to a file of this process."""
    with open(f"{FOLDER}/{os.getpid()}.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps({"job": sys.argv, **facts}) + "\n")


def ran(module: str) -> None:
    """Note that a function of a module runs, if it runs below a stage."""
    job = (module, *sys.argv)
    if job not in noted and is_below_a_stage(sys._getframe(1)):
        noted.add(job)
        note(module=module)


def is_below_a_stage(frame: FrameType | None) -> bool:
    while frame is not None:
        name = frame.f_globals.get("__name__") or ""  # what Snakemake runs is of no module
        if name.startswith("blur.config"):
            return False
        if name.startswith("blur.stages."):
            return True
        frame = frame.f_back
    return False


class Loader(SourceFileLoader):
    """Compiles a module with the calls in it, and keeps no bytecode of that."""

    def get_code(self, fullname: str) -> CodeType:
        from noting import noted_tree  # here: a job's client, of which there are hundreds, does without

        return self.source_to_code(noted_tree(self.get_data(self.path), fullname), self.path)

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        if module.__name__ == FINGERPRINT:
            fingerprint = module.fingerprint

            def noting(roots: Any, *further: Any) -> Any:
                note(roots=sorted(roots))
                return fingerprint(roots, *further)

            module.fingerprint = noting


class Finder(MetaPathFinder):
    """Finds the modules of blur, but for those that start a job."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if not name.startswith("blur.") or name.startswith("blur.warm"):
            return None
        found = PathFinder.find_spec(name, path, target)
        if found and isinstance(found.loader, SourceFileLoader):
            found.loader = Loader(found.loader.name, found.loader.path)
        return found


builtins.__blur_ran__ = ran
sys.meta_path.insert(0, Finder())
