"""For the owner of a model: make it forget texts, and find out whether it did. No workflow, no configuration files."""
