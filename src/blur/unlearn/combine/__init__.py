"""One file per combination of the forget and the retain gradient: weighted, bilevel (BLUR), reversed."""
