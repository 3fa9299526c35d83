"""
From the book to the backing.
"""

from collections.abc import Mapping

from attrs import frozen

from cvmpair.core.packing import Packed


@frozen(kw_only=True)
class Batch:
    """
    What changed since the batch before.

    :ivar version: the last version that is in it.
    :ivar clusters: what is now kept under each PIN of which something changed, a
        cluster or a tombstone; ``None`` where nothing is.
    :ivar journal: for each of these PINs, the version that must be durable before
        anything about it may be said; 0 if none must.
    """

    version: int
    clusters: Mapping[str, Packed | None]
    journal: Mapping[str, int]

    def followed_by(self, later: "Batch") -> "Batch":
        """
        Return both as one.
        """
        return Batch(
            version=later.version,
            clusters={**self.clusters, **later.clusters},
            journal={**self.journal, **later.journal},
        )
