"""
Makes ``twistd cvmpair`` and ``twist cvmpair`` work.
"""

from twisted.application.service import ServiceMaker

cvmpair = ServiceMaker(
    "cvmpair",
    "cvmpair.service",
    "Cluster pairing: boot machines into one cluster with one short PIN.",
    "cvmpair",
)
