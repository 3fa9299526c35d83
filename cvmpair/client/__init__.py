"""
HTTP out: a client of the service's own API, which the original service has too.
"""
