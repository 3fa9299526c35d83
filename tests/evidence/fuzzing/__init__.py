"""
Bytes that nobody means well, made by atheris, which follows what they reach.

``python -m tests.evidence.fuzzing TARGET CORPUS SECONDS`` tries one of the
:data:`~tests.evidence.fuzzing.targets.TARGETS` for so long. What it found worth keeping
is in ``tests/evidence/corpus``, and is tried again with every run of the tests.
"""
