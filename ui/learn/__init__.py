"""The Learn page: five lessons."""
