"""What is predicted, and how scores become predictions."""
