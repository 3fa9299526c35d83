"""
Floor 2: HTTP in.
"""
