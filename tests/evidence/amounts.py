"""
How much of a long test is run: a part that fits into CI, or all of it by hand.
"""

import os


def amount(ci: int, full: int) -> int:
    """
    Return how often something is done: as in CI, or in full with ``make evidence``.
    """
    return full if os.environ.get("CVMPAIR_EVIDENCE") == "full" else ci
