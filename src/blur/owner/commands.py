"""The owner's commands. Their bodies are imported when one is run: ``blur --help`` waits for no torch."""

from __future__ import annotations

import typer

app = typer.Typer()
