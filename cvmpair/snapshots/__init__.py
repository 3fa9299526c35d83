"""
Floor 1: the state on the disk.

All of it blocks, so the daemon calls it at start-up or from a thread.
"""
