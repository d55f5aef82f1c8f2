"""Ratings of companies: statements read and checked, ratios, Altman's scores, ratings with every step recorded."""
