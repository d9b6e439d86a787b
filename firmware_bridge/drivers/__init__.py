"""One file (or a few) per sort of machine; each turns a vendor's words into snapshots."""
