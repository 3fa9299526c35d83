"""
Floor 0: what things are and what may happen.

Nothing here touches the reactor, the disk or the network; time comes in as an
argument.
"""
