"""Why a model says what it says: by source, by column, inside a cell, and over all rows."""
