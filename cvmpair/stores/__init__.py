"""
Floor 1: what the web sees of the state.
"""
