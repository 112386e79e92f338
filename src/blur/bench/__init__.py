"""What things cost, measured: a step, its memory, a GPU's throughput, a run. Nothing else imports this package."""
