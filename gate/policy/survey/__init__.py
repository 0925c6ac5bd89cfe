"""What a rule set lets through and what it says to everybody else: computed exactly, not sampled."""
