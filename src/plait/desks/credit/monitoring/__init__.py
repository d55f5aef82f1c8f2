"""Monitoring: whether scores, grades and borrowers are still what they were, and who needs a look."""
