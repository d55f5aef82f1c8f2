"""Maps from scores to calibrated scores: one file a method."""
