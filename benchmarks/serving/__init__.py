"""Questions about serving: latency, what survives a kill, parity at the edge, streams."""
