"""The lab bridge: watches the machines of one lab and reports to the network's server over MQTT.

Runs on a Raspberry Pi; needs nothing of the server (no Flask, no SQLAlchemy, no `fablab`).
"""

__version__ = "0.1.0"
