"""
What ``cvmpair doctor`` makes of what it has found out: from facts to verdicts.

All of it is pure; :mod:`cvmpair.facts` finds the facts out.
"""
