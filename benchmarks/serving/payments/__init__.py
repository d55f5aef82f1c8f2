"""Made card payments for the questions about streams: a model with windows, and events in a file."""
