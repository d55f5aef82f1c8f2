"""Mathematics of finance: pure functions on arrays, each naming its source."""
