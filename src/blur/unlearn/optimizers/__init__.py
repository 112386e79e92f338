"""One file per optimizer; a file's name is the optimizer's name."""
