"""The metrics: one module each, found by its name."""
