"""The kinds of attack, one module each, with a class ``Attack``."""
