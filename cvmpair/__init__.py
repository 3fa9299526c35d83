"""
cvmpair: boot any set of machines into one cluster with one short PIN.

The rooms of this package and who may import whom are described in
``tests/test_house.py``, which also checks it.
"""

__version__ = "0.1.0"
