"""
The contexts that an operator hands to a cloud: from a base, a PIN and a role to the
bytes that the cloud takes. No file and no network is touched.
"""
