"""Ways to ask: each is a module with a class ``Way``."""
