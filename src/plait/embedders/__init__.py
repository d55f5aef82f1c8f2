"""Installed packages that carry a pretrained encoder: one file a package."""
