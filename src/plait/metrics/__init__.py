"""Pure functions on arrays: metrics, intervals, comparisons."""
