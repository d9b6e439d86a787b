"""Booking of machines and telemetry from machines for networks of fablabs, in one system."""

__version__ = "0.1.0"
