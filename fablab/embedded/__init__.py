"""The one-command start: database, broker, printers and our own processes under one supervisor."""
