"""
Floor 1: what happens by itself as time goes on.
"""
