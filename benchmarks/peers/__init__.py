"""Other pipelines beside this one, on the same files: `python -m benchmarks.peers`."""
