"""
What ``cvmpair doctor`` finds out, for :mod:`cvmpair.checks` to judge.

All of it blocks.
"""
