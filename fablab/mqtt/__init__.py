"""The door through which bridges' messages come in."""
