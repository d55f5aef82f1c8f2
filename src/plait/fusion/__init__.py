"""Strategies that join what the sources say."""
