"""Releases: what two people sign about a package, how a machine takes one and goes back, and how the state follows.

``python3`` with ``cryptography`` runs this without the rest of autogate: the first installation has nothing else.
"""
