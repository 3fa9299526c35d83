"""
What the machines of a cluster tell each other: the master publishes, the workers wait.
"""
