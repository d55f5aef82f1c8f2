"""The rooms: one file a modality, each with two doors (features and inputs to an encoder)."""
