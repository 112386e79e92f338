"""One file per combination of the forget and the retain gradient; a file's name is the combination's name."""
