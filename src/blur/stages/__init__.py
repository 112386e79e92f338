"""The stages of the graph: side effects at the rim, around the pure functions of the other packages."""
