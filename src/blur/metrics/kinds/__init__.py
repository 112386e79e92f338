"""The metrics, one module each, with a class ``Metric``."""
