"""What is held about a person: handed out, erased, or let go after its time."""
