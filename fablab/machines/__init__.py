"""Labs, the machines in them, and when they are open."""
