"""BLUR: bi-level unlearning for language models, with its baselines, attacks and evaluation as one graph."""

__version__ = "0.1.0"
