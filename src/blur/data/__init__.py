"""The texts: where they come from, one record form for all, checks, and files with hashes."""
