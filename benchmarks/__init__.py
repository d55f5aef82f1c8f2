"""One runnable file a question: `python -m benchmarks.NAME [--json]`; `python -m benchmarks` runs them all."""
