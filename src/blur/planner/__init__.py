"""What a job needs before it runs: memory from counted tensors, and what a scale costs."""
