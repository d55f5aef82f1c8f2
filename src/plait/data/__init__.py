"""From files to columns: reading, schema, quality, splits, made and public data."""
