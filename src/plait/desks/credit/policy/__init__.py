"""What may decide about a person's credit, and who decides: law, fairness, cut-offs, cost, and people."""
