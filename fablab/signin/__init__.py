"""How a person gets in: passwords, second factors, providers, sessions, and the limits on guessing."""
