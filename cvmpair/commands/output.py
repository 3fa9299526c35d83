"""
Files that hold a PIN: for their owner only, and never half written.
"""

from collections.abc import Mapping
from pathlib import Path

from cvmpair_agent.errors import ContextWrong
from cvmpair_agent.files.replacing import create_file


def check(path: Path, *, is_directory: bool) -> None:
    """
    See whether a file or directory could be written there.

    :raises ContextWrong: if not.
    """
    if path.is_dir() != is_directory and path.exists():
        kind = "not a directory" if is_directory else "a directory"
        raise ContextWrong(f"{path} is {kind}.")
    if not path.absolute().parent.is_dir():
        raise ContextWrong(f"{path.parent} is no directory.")


def write(path: Path, body: bytes | Mapping[str, bytes]) -> None:
    """
    Write a file, or the files of a directory.

    What is no regular file, such as a terminal, is written to; a file is replaced.

    :raises OSError: if that fails; the old file is there then.
    """
    if isinstance(body, bytes):
        if path.exists() and not path.is_file():
            path.write_bytes(body)
        else:
            create_file(path.resolve(), body)
        return
    path.mkdir(mode=0o700, exist_ok=True)
    for name, content in body.items():
        write(path / name, content)
