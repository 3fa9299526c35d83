"""
Disks as files that can only be read, and only so much.

The libraries that know the file systems follow whatever a damaged or hostile disk
says: directories that hold themselves, chains of clusters that are circles, tables of
terabytes. All of them have to read the disk to do so, and it is here that they end.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import SEEK_SET, FileIO
from pathlib import Path
from typing import Final

from attrs import define

MAX_READS: Final = 20_000
"""How often one disk may be read before its directories are too many, or a circle."""


class TooMuch(OSError):
    """
    More would have to be read than any disk with a context needs.
    """


@define(eq=False)
class Image:
    """
    A disk, or a file that holds one, with a budget for everything read from it.

    :ivar budget: how many bytes may still be read.
    :ivar reads: how often it may still be read.
    """

    file: FileIO
    budget: int
    reads: int = MAX_READS

    def read(self, size: int = -1) -> bytes:
        """
        Read so many bytes, fewer at the end; never all without a number.

        :raises TooMuch: if that is beyond the budget; nothing is read then.
        """
        self.reads -= 1
        if not 0 <= size <= self.budget or self.reads < 0:
            raise TooMuch("there is too much on it, or a circle")
        data = self.file.read(size)
        self.budget -= len(data)
        return data

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """
        Go to a place, as with any file.
        """
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        """
        Return the place where it is read next.
        """
        return self.file.tell()

    def readable(self) -> bool:
        """
        Say yes.
        """
        return True

    def seekable(self) -> bool:
        """
        Say yes.
        """
        return True

    def writable(self) -> bool:
        """
        Say no, so that pyfatfs does not mark the file system as in use.
        """
        return False

    def close(self) -> None:
        """
        Close the disk.
        """
        self.file.close()


@contextmanager
def open_image(path: Path, budget: int) -> Iterator[Image]:
    """
    Open a block device, or a regular file instead of one, for as long as it is needed.

    :param budget: how many bytes may be read, in all.
    :raises OSError: if it cannot be opened, such as a drive without a disc.
    """
    mode = path.stat().st_mode
    # Anything else could make the open wait, or do something.
    if not stat.S_ISBLK(mode) and not stat.S_ISREG(mode):
        raise OSError(f"{path} is not a disk")
    with FileIO(os.open(path, os.O_RDONLY | os.O_CLOEXEC)) as file:
        yield Image(file, budget)
