"""Why an application is declined, what would change it, and both in words that a person can check."""

__all__: list[str] = []
