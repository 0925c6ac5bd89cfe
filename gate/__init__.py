"""The edge service of an automated border control gate: the only room that knows the others."""
