"""
The paths of the machine, under the root that ``--root`` names.
"""

import os
from pathlib import Path, PurePosixPath
from typing import Final

from attrs import frozen

MAX_LINKS: Final = 40
"""As many symbolic links as Linux follows in one path (path_resolution(7))."""


@frozen
class Root:
    """
    A directory that stands for ``/``, as in a chroot.
    """

    path: Path = Path("/")

    def locate(self, name: str) -> Path:
        """
        Return where an absolute path of the machine is.

        Symbolic links are followed as the machine itself would: one to an absolute
        path, such as cloud-init's ``/var/lib/cloud/instance``, stays below the root.
        The path need not exist.

        :raises OSError: if there are too many symbolic links.
        """
        todo = list(reversed(PurePosixPath("/", name).parts[1:]))
        place = self.path
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                place = place if place == self.path else place.parent
                continue
            place /= part
            if place.is_symlink():
                links += 1
                if links > MAX_LINKS:
                    raise OSError(f"{name}: too many levels of symbolic links")
                target = PurePosixPath(os.readlink(place))  # noqa: PTH115
                place = self.path if target.is_absolute() else place.parent
                todo += [part for part in reversed(target.parts) if part != "/"]
        return place
