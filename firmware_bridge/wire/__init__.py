"""The MQTT contract, version 1: topics, messages and their JSON form.

The server borrows this package, so it imports nothing but the standard library and msgspec.
"""
