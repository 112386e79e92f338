"""The owner's commands. Their bodies are imported when one is run: ``blur --help`` waits for no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

Model = Annotated[str, typer.Option(help="Your model: a folder, an adapter's folder, or a name on the hub.")]
Forget = Annotated[str, typer.Option(help="Texts to forget: a file, a folder, or a dataset of the hub.")]
Keep = Annotated[str | None, typer.Option(help="Texts that the model may go on knowing.")]
Unseen = Annotated[str | None, typer.Option(help="Texts like those to forget that it was never trained on.")]
Base = Annotated[str | None, typer.Option(help="The model before it was trained on the texts.")]
Columns = Annotated[
    list[str] | None, typer.Option(help="What columns mean: question=<column>,answer=<column>, or keep.text=<column>.")
]
Device = Annotated[str | None, typer.Option(help="cpu or cuda; by default the GPU where there is one.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the run.")]


@app.command()
def forget(
    model: Model,
    forget: Forget,
    out: Annotated[Path, typer.Option(help="The folder to write; it appears whole or not at all.")],
    keep: Keep = None,
    unseen: Unseen = None,
    base: Base = None,
    columns: Columns = None,
    budget: Annotated[str | None, typer.Option(help="A time, as 10m, or a number of updates.")] = None,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Make your model forget texts.

    Status 0: forgotten as far as asked for. 3: not so far, and the best model that keeps the rest is written. 4: no
    model is written. docs/forget.md has the rule.
    """
    from blur.owner.forgetting import Asked, run

    raise typer.Exit(run(Asked(model, forget, out, keep, unseen, base, columns or (), budget, seed, device)))
