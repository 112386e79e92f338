"""For the owner of a model: make it forget, and know whether it did."""
