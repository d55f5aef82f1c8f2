"""Sets and intervals with stated coverage."""
