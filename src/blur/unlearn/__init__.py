"""Unlearning (and plain fine-tuning): losses, combinations of two gradients, optimizers, scopes and the one loop."""
