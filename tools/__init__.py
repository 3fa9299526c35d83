"""
What is needed to make releases; nothing of it is shipped.
"""
