"""
What looks like PEM.
"""


def pem(label: str, body: str = "c2VzYW1l") -> str:
    """
    Return an object of that label, whose body is of no use.
    """
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"
