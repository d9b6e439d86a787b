"""Mails on their way out: written with the act they tell of, sent after it."""
