"""One file per scope: which weights may move."""
