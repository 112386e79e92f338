"""What is made of a model, or of texts, before a method reads it: a file for each kind, found by its name."""
