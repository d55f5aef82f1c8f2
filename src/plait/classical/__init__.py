"""What several classical learners share: scaled columns, LightGBM's boosters, choices on held-out rows."""
