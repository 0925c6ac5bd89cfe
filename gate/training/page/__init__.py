"""The exercise desk's page."""
