"""Plain neural modules, each naming its source."""
