"""Questions about learning: pretraining, many targets, resuming, many workers, data larger than memory."""
