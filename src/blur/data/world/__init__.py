"""What the benchmarks' generated worlds share: words, names, and draws that every Python version repeats."""
