"""Questions about the credit desk: scorecards, blends, grades, losses, reasons, policy, monitoring."""
