"""
Where user data may be: one module for each source, behind one protocol.
"""
