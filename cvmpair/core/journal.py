"""
What of the book is to be written.
"""

from typing import Final

EXPIRED_AT_ONCE: Final = 5000
"""
As many clusters that have expired go into one batch.

A million of them may expire in one second, and to delete them all would take the
backing so long that others had to wait for seconds until their changes are durable.
"""


class Journal:
    """
    The PINs under which something else is kept than the backing has, each with the
    version that must be durable before anything about it may be said.

    It has two parts: what would be lost in a crash, and what a deadline would tell
    again afterwards, which can wait.
    """

    def __init__(self) -> None:
        self._changed: dict[str, int] = {}
        self._over: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._changed or self._over)

    def note_change(self, pin: str, version: int) -> None:
        """
        Note a change that somebody made.
        """
        # The PIN may be that of one that is forgotten.
        self._over.pop(pin, None)
        self._changed[pin] = version

    def note_end(self, pin: str) -> None:
        """
        Note that a cluster expired.
        """
        # Nobody has to wait until this is durable: after a crash the deadline
        # would say the same.
        (self._changed if pin in self._changed else self._over)[pin] = 0

    def note_forgotten(self, pin: str, deleted: int) -> None:
        """
        Note that a tombstone is kept no longer.

        :param deleted: the version of the deletion, which must be durable before it is
            unknown; 0 if it is, or if there was none.
        """
        if pin not in self._changed:
            self._over[pin] = deleted

    def pending(self, pin: str) -> int | None:
        """
        Return the version that must be durable, if there is anything to write.
        """
        return self._changed.get(pin, self._over.get(pin))

    def has_ends(self) -> bool:
        """
        Say whether there is anything in the part that can wait.
        """
        return bool(self._over)

    def drop_ends(self) -> None:
        """
        Leave that part to the next run, which finds them in the backing.
        """
        self._over.clear()

    def changed_pins(self) -> set[str]:
        """
        Return the PINs whose changes would be lost now.
        """
        return set(self._changed)

    def take(self) -> dict[str, int]:
        """
        Return what there is and begin anew; of what can wait some may be left.
        """
        taken, self._changed = self._changed, {}
        some = min(len(self._over), EXPIRED_AT_ONCE)
        taken.update(self._over.popitem() for _ in range(some))
        if not self._over:
            self._over = {}  # a dictionary never becomes smaller
        return taken
