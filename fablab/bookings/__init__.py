"""Claims on a machine's time."""
