"""Attacks: ways to bring back what a model was made to forget, and what they are made of."""
