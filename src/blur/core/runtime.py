"""The surroundings of a stage that computes: threads and determinism."""

from __future__ import annotations

import os

from blur.core.errors import ConfigError


def set_threads(num_threads: int) -> None:
    """Fix the number of threads of every numeric library; call it before they are imported."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(num_threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def make_deterministic(num_threads: int, device: str = "cpu") -> None:
    """Ask torch for the same bytes at every run of the same job on the same kind of machine.

    Raises:
        ConfigError: the device is a GPU, and there is none.
    """
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"there is no device {device!r} here", "config/scales: device", "Run it where there is a GPU")
    torch.set_num_threads(num_threads)
    torch.use_deterministic_algorithms(True, warn_only=device != "cpu")
    if device != "cpu":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
