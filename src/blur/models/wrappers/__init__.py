"""What is put around a model and belongs to it: a file for each kind, found by its name."""
