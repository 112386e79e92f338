"""What every stage leans on: errors, atomic files, hashes, manifests, locks, fingerprints."""
