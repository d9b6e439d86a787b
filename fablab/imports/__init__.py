"""Bookings, machines and members from CSV files."""
