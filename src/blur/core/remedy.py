"""What makes or mends a stored result: the command, read from where the result lies (``blur.core.paths``).

No fingerprint covers this module: it decides what an error says, and no result.
"""

from __future__ import annotations

from pathlib import Path

_DEFAULTS = {"variant": "default", "seed": "0", "request": "own"}  # of the command line, which need not be typed


def to_make(path: Path) -> str:
    """Return the remedy for a result that is not there: the command that makes what lies at ``path``."""
    command = producer(path)
    return f"Type `{command}`" if command else "Give a folder that a stage of this pipeline has written"


def to_mend(path: Path) -> str:
    """Return the remedy for a result that is not what its manifest says: drop its manifest, and make it again."""
    command = producer(path)
    if command is None:
        return "Put a whole copy there; for a result of this pipeline, type `make verify`, then `snakemake all`"
    return f"Type `make verify SCALE={command.split()[-1]}`, then `{command}`"


def producer(path: Path) -> str | None:
    """Return the command that writes the result at ``path``, a folder or a file in it; None where there is no result.

    Args:
        path: relative to the root of the checkout, or in the present folder. All commands run in that root.
    """
    match _relative(path).parts:
        case ("data", scale, task, *_):
            return _command("data", scale, task=task)
        case ("results", scale, "models", task, "base", _, _, *_):
            return _command("base", scale, task=task)
        case ("results", scale, "models", task, "target" | "retrained" as role, _, seed, *_):
            return _command("train", scale, task=task, role=role, seed=seed)
        case ("results", scale, "models" | "epochs", task, method, variant, seed, *_):
            return _command("unlearn", scale, task=task, method=method, variant=variant, seed=seed)
        case ("results", scale, "derived", kind, request, task, method, variant, seed, *_):
            run = {"task": task, "method": method, "variant": variant, "seed": seed}
            return _command(f"derive {kind}", scale, **run, request=request)
        case ("results", scale, "evaluation", task, method, variant, seed, *_):
            return _command("evaluate", scale, task=task, method=method, variant=variant, seed=seed)
        case ("results", scale, "metrics", task, method, variant, seed, *_):
            return _command("metrics", scale, task=task, method=method, variant=variant, seed=seed)
        case ("results", scale, "attacks" | "attack_metrics" as phase, task, method, variant, seed, attack, *_):
            stage = {"attacks": "attack", "attack_metrics": "attack-metrics"}[phase]
            return _command(stage, scale, task=task, method=method, variant=variant, seed=seed, attack=attack)
        case ("results", scale, "drawn", task, "results" | "robustness" as name, *_):
            return _command({"results": "table"}.get(name, name), scale, task=task)
        case ("results", scale, "drawn", task, name, *_):
            return _command(f"figures {name}", scale, task=task)
    return None


def _command(stage: str, scale: str, **options: str) -> str:
    """Return ``blur <stage>`` with those options that are not what the command line takes by itself."""
    given = {name: value.removeprefix("seed") if name == "seed" else value for name, value in options.items()}
    typed = [f"--{name} {value}" for name, value in given.items() if _DEFAULTS.get(name) != value]
    return " ".join(("blur", stage, *typed, f"--scale {scale}"))


def _relative(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
