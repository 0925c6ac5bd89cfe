"""The page that officers rule on: its files, which ``gate.console.app`` serves."""
