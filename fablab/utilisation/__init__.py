"""Statistics by machine and hour, derived from bookings, sessions and jobs."""
