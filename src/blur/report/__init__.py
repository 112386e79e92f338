"""Tables, figures and captions, drawn from stored results only (metrics.json, trajectory.json, steps.jsonl)."""
