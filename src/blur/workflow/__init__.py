"""What surrounds the graph: records that travel, verification, DVC, resuming, costs."""
