"""
What a context says, as text: no file, no network, no reactor.
"""
