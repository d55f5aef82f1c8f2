"""One runnable file a question about a kind of evidence; `python -m benchmarks.modalities` asks them all."""
