"""The one training loop of the neural body."""
