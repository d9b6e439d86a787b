"""What comes in and goes out over REST; the same declarations validate, dump and document."""
