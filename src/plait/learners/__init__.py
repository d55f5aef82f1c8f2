"""Classical learners over features; their state is JSON and arrays."""
