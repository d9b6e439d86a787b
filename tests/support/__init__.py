"""Real neighbours for tests: broker, database and printers, and how to do without one."""
