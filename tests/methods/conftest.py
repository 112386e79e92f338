from tests.unlearn.conftest import model, original

__all__ = ["model", "original"]  # fixtures
