"""One file per way to smooth: where a loss's gradient is taken, and which weights a run gives."""
