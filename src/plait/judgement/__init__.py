"""What a fitted model is worth to those it decides about: fairness, drift, robustness, privacy."""
