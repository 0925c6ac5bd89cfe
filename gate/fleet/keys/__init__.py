"""Whose keys count in a fleet: the directory of them, how one gets into it, and how it is taken out at once."""
