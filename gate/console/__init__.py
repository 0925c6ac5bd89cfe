"""Officers act: what they may order, by which authenticators, and the screen they do it on. The lane believes only the authenticators."""
