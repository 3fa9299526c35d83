"""
Files that hold a PIN: for their owner only, and never half written.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from cvmpair_agent.errors import ContextWrong
from cvmpair_agent.files.replacing import new_file

STANDARD_OUTPUT: Final = "standard output"


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


@contextmanager
def naming(place: object) -> Iterator[None]:
    """
    Have an :exc:`OSError` name a place, if it names none: one about a file that is
    open does not.
    """
    try:
        yield
    except OSError as failed:
        if failed.errno and not failed.filename:
            failed.filename = str(place)
        raise


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """
    Have an empty file there, where something is to be written: it goes at the end if
    that failed, or was not needed.

    :raises OSError: if there cannot be one, or is one already.
    """
    path.touch(0o600, exist_ok=False)
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if not path.stat().st_size:
        path.unlink()


def write(bodies: Mapping[Path, bytes | Mapping[str, bytes]]) -> None:
    """
    Write files, or the files of directories: all of them, or none.

    What is no regular file, such as a terminal, is written to; a file is replaced.

    :raises OSError: if that fails; the old files are there then.
    """
    with ExitStack() as written:
        for path, content in _files(bodies):
            if path.exists() and not path.is_file():
                with naming(path):
                    path.write_bytes(content)
                continue
            file = written.enter_context(new_file(path.resolve()))
            file.write(content)
            # Each takes its place at the end, when all have found room.
            file.flush()


def _files(
    bodies: Mapping[Path, bytes | Mapping[str, bytes]],
) -> Iterator[tuple[Path, bytes]]:
    for path, body in bodies.items():
        if isinstance(body, bytes):
            yield path, body
            continue
        path.mkdir(mode=0o700, exist_ok=True)
        for name, content in body.items():
            yield path / name, content
