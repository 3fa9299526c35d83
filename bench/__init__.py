"""
Speed and size of the daemon and the agent, side by side with their peers.
"""
