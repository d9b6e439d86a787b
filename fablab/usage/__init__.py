"""What machines really did: jobs and usage sessions, and whose booking they were part of."""
