"""Face verification: pixels in, measurements out. It never decides anything about a traveller.

Public names live in their modules (``faceverify.verifier``, ``faceverify.packs``, ``faceverify.confined``, ``faceverify.image``);
this file stays empty so that importing the package costs nothing.
"""
