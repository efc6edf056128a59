"""The till command: the local stack, the demo, and the tools of the log."""
