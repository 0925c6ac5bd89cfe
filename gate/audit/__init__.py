"""The audit log: records in a chain that nobody without the gate's key can bend, and signed checkpoints for whoever has it."""
