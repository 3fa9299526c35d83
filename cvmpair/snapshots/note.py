"""
A note of the last version that was saved, beside the state file.

A log that was cut off at the end of a transaction, or removed, leaves a sound
state that is only older, and SQLite's recovery drops a damaged last transaction
in silence. So each commit is followed by a note of its version, before anybody
is told. The note is not synchronised, which makes it nearly free: after the end
of a process it is exact; after a power failure it may say less than the state
holds, but never more.
"""

import os
import re
from contextlib import suppress
from pathlib import Path
from zlib import crc32


def _record(version: int) -> bytes:
    digits = b"%020d" % version
    return b"%b %08x\n" % (digits, crc32(digits))


class VersionNote:
    """
    The note of one state file; it is there from the first write until an
    orderly end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def read(self) -> int:
        """
        Return the noted version, or 0 if there is no note that can be read.

        :raises OSError: if the system fails to read it.
        """
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return 0
        if not re.fullmatch(rb"[0-9]{20} [0-9a-f]{8}\n", text):
            return 0
        version = int(text[:20])
        return version if text == _record(version) else 0

    def write(self, version: int) -> None:
        """
        Note a version that is durable.

        :raises OSError: if the system fails to write it.
        """
        if self._descriptor is None:
            self._descriptor = os.open(
                self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        os.pwrite(self._descriptor, _record(version), 0)

    def close(self) -> None:
        """
        Write no more, but leave the note.
        """
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        """
        Remove the note, as everything is in the state file itself.
        """
        self.close()
        with suppress(FileNotFoundError):
            self.path.unlink()
