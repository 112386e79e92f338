"""The benchmarks, one module or package each, found by its name."""
