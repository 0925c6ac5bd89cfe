"""A trial that never was: days of travellers before banks of simulated lanes, on the real lane's code, in jumping time.

Real are the lane's actor, table, casework, rules, decisions, officers' part, the asking of registries with their snapshots, and the log. Drawn
from a scenario are people, documents, faces, doors, networks; drawn from what was once measured is how long the real rooms compute.
"""
