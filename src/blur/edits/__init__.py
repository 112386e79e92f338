"""Methods that change weights without the training loop: a file for each, found by its name."""
