"""A hub on loopback: what the Hugging Face hub answers, from a folder, for tests and ``make rehearsal``."""
