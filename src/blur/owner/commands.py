"""The owner's commands. Their bodies are imported when one is run: ``blur --help`` waits for no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

Before = Annotated[str, typer.Option(help="The model that was to forget: a folder, or a name on the hub.")]
Forget = Annotated[str, typer.Option(help="The texts that were to be forgotten: a file or folder of any common form.")]
Out = Annotated[Path, typer.Option(help="Folder for the report; it appears whole or not at all.")]
Keep = Annotated[str | None, typer.Option(help="Texts that it may go on knowing: what did it cost?")]
Unseen = Annotated[str | None, typer.Option(help="Texts like those to forget that no model was trained on.")]
Base = Annotated[str | None, typer.Option(help="The model before fine-tuning.")]
Reference = Annotated[str | None, typer.Option(help="A model trained without the texts: the best to compare with.")]
Columns = Annotated[
    list[str] | None, typer.Option(help="What columns mean, where their names do not tell: question=<column>,...")
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or cuda:0; by default the GPU where there is one.")]
SEED = typer.Option(min=0, max=2**32 - 1, help="Of what is drawn by lot.")


@app.command()
def audit(
    before: Before,
    after: Annotated[str, typer.Option(help="The model to audit.")],
    forget: Forget,
    out: Out,
    keep: Keep = None,
    unseen: Unseen = None,
    base: Base = None,
    reference: Reference = None,
    columns: Columns = None,
    device: Device = None,
    seed: Annotated[int, SEED] = 0,
    fail_on: Annotated[
        str | None, typer.Option(help="End with exit code 1 if this is found: reproduced,relearned,hidden,...")
    ] = None,
    show_texts: Annotated[
        bool, typer.Option("--show-texts", help="Show the forget texts on the page (nowhere else).")
    ] = False,
) -> None:
    """Tell whether a model forgot: a page, and JSON."""
    from blur.owner.auditing import Given, run_audit
    from blur.owner.fail_on import parse

    names = parse(fail_on) if fail_on is not None else ()
    given = Given(before, forget, out, keep, unseen, base, reference, tuple(columns or ()), device, seed)
    raise typer.Exit(run_audit(given, after, names, show_texts))


@app.command()
def compare(
    candidates: Annotated[list[str], typer.Argument(help="The models to compare.")],
    before: Before,
    forget: Forget,
    out: Out,
    keep: Keep = None,
    unseen: Unseen = None,
    base: Base = None,
    reference: Reference = None,
    columns: Columns = None,
    device: Device = None,
    seed: Annotated[int, SEED] = 0,
) -> None:
    """Audit several models and set them beside each other."""
    from blur.owner.auditing import Given, run_compare

    given = Given(before, forget, out, keep, unseen, base, reference, tuple(columns or ()), device, seed)
    run_compare(given, candidates)
