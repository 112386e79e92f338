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


Before = Annotated[str, typer.Option(help="The model that was to forget: a folder, or a name on the hub.")]
Reference = Annotated[str | None, typer.Option(help="A model trained without the texts: the best to compare with.")]
Out = Annotated[Path, typer.Option(help="Folder for the report; it appears whole or not at all.")]


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
    fail_on: Annotated[
        str | None, typer.Option(help="Status 1 if one of these is found: reproduced,relearned,hidden,...")
    ] = None,
    show_texts: Annotated[
        bool, typer.Option("--show-texts", help="Show the forget texts on the page (nowhere else).")
    ] = False,
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Tell whether a model forgot texts: a page, and JSON.

    Status 0: the report is there. 1: it found what --fail-on names. docs/audit.md has the rules.
    """
    from blur.owner.auditing import Given, run_audit
    from blur.owner.fail_on import parse

    names = parse(fail_on) if fail_on is not None else ()
    given = Given(before, forget, out, keep, unseen, base, reference, columns or (), seed, device)
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
    seed: Seed = 0,
    device: Device = None,
) -> None:
    """Audit several models and set them beside each other."""
    from blur.owner.auditing import Given, run_compare

    run_compare(Given(before, forget, out, keep, unseen, base, reference, columns or (), seed, device), candidates)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The folder to write.")],
    model: Model,
    forget: Forget,
    keep: Annotated[str, typer.Option(help="Texts that the model may go on knowing.")],
    unseen: Unseen = None,
) -> None:
    """Write a small workflow for several methods on your model.

    In the folder, `snakemake -n all` plans sweeps and attacks too (the extra `pipeline`). docs/own.md tells the rest.
    """
    from blur.owner.own_graph import init as write

    for line in write(folder, model, {"forget": forget, "keep": keep, "unseen": unseen}):
        print(line)
    print(f"{folder}: type `cd {folder} && blur check && snakemake -n all`")


@app.command()
def push(
    model: Annotated[Path, typer.Argument(help="A model's folder, by `blur forget` or the graph.")],
    to: Annotated[str, typer.Option(help="The repository on the hub: owner/name.")],
    audit: Annotated[Path | None, typer.Option(help="The report's folder: the card then carries it.")] = None,
    public: Annotated[bool, typer.Option("--public", help="Let everyone read a new repository.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be sent, and send nothing.")] = False,
) -> None:
    """Send a model to the Hugging Face hub, with its audit.

    Only what the model's manifest lists is sent. Nothing else in this program sends anything.
    """
    from blur.owner.push import CARD, pack, send

    parcel = pack(model, audit)
    for line in parcel.told:
        print(line)
    if dry_run:
        print(f"\n{parcel.made[CARD]}\nnothing was sent (--dry-run)")
    else:
        print(send(parcel, to, public))
