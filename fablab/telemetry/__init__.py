"""What bridges report: live status, its history, readings, and the bookkeeping of messages."""
