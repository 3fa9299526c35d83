"""
The agent that goes into the images of machines: it finds the context of the machine
it runs on, pairs, and patches that context.

It is installed as ``cvmpair_agent``.
"""
