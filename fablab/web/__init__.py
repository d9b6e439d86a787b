"""The door through which people and programs come in over HTTP."""
