"""How many authors a split forgets. Not among the settings, since code fingerprints leave those out."""

from __future__ import annotations

from blur.core.errors import DataError

PERCENT: dict[str, int] = {"forget01": 1, "forget05": 5, "forget10": 10}


def num_forget_authors(split: str, num_authors: int) -> int:
    """Return how many of ``num_authors`` a split forgets: 1, 5 or 10 percent, a whole number of authors."""
    percent = PERCENT[split]
    count, rest = divmod(num_authors * percent, 100)
    if rest:
        step = 100 // percent
        raise DataError(
            f"{percent}% of {num_authors} authors is no whole number of authors",
            f"split {split}",
            f"Set num_authors to a multiple of {step}, or choose another split",
        )
    return count
