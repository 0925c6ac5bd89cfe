"""Many gates and their centre: records up, rule sets, trust stores and lists down, and the keys that make either believed."""
