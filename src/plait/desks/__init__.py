"""Finance over the engine: each desk offers typed operations, from which its faces are made."""
