"""
``cvmpair context``: write what the machines of a cluster are to be given.
"""

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from attrs import field, frozen

from cvmpair.commands import output
from cvmpair.contexts.block import Assignment, pin
from cvmpair.contexts.formats import FORMATS
from cvmpair.contexts.merging import merge
from cvmpair.contexts.rendering import Rendering, command_line, render
from cvmpair_agent.context.cluster import Role
from cvmpair_agent.context.decoding import MAX_SIZE
from cvmpair_agent.errors import ContextWrong

STANDARD: Final = "-"
ROLES: Final = {
    "master": (Role.MASTER,),
    "worker": (Role.WORKER,),
    "both": (Role.MASTER, Role.WORKER),
}
ANY_PIN: Final = "0" * 12
"""What stands for a PIN that does not exist yet."""


@frozen(kw_only=True)
class ContextCommand:
    """
    One run of the command.

    :ivar service_url: as it is put into the context, if it is known.
    :ivar create_pin: asks the service for a PIN, with ``--new``.
    """

    options: Namespace = field(repr=False)
    service_url: str | None
    create_pin: Callable[[], str]

    def run(self) -> None:
        """
        Write the contexts, and say on standard error what a person should know.

        Nothing is written, and no PIN created, unless everything can be.

        :raises ContextWrong: if something cannot be followed.
        """
        options = self.options
        self._check_words()
        given = None if options.new else pin(_read_pin(options.pin, options.pin_file))
        base = b"" if options.base is None else _read(options.base)
        places = self._places()
        renderings = self._renderings(base, given or ANY_PIN)
        steps = [self._next_step(place) for place in places]
        if given is None:
            renderings = self._renderings(base, self.create_pin())
        for rendering, place in zip(renderings, places, strict=True):
            if place is not None:
                output.write(place, rendering.body)
            elif isinstance(rendering.body, bytes):
                sys.stdout.buffer.write(rendering.body)
                sys.stdout.buffer.flush()
        for line in (*self._remarks(renderings), *filter(None, steps)):
            print(line, file=sys.stderr)

    def _check_words(self) -> None:
        options = self.options
        if options.output is None and options.role == "both":
            raise ContextWrong(
                "--role both writes two: name them with --output NAME, for NAME-master "
                "and NAME-worker."
            )
        if options.output is None and FORMATS[options.format].is_directory:
            raise ContextWrong(
                f"--format {options.format} writes a directory: name it with --output."
            )
        if options.base == STANDARD and options.pin_file == STANDARD:
            raise ContextWrong("Only one of --base and --pin-file can be '-'.")

    def _places(self) -> list[Path | None]:
        name, roles = self.options.output, ROLES[self.options.role]
        if name is None:
            return [None]
        places = [Path(name)]
        if len(roles) > 1:
            places = [Path(f"{name}-{role.value}") for role in roles]
        for place in places:
            output.check(place, is_directory=FORMATS[self.options.format].is_directory)
        return list(places)

    def _renderings(self, base: bytes, word: str) -> list[Rendering]:
        return [self._rendering(base, word, role) for role in ROLES[self.options.role]]

    def _rendering(self, base: bytes, word: str, role: Role) -> Rendering:
        target = FORMATS[self.options.format]
        assignment = Assignment(pin=word, role=role, service_url=self.service_url)
        context = merge(base, assignment, plain=target.plain, mime=target.mime)
        return render(self.options.format, context, compressed=self.options.gzip)

    def _next_step(self, place: Path | None) -> str | None:
        file = "FILE" if place is None else str(place.absolute())
        return command_line(self.options.format, file, compressed=self.options.gzip)

    def _remarks(self, renderings: list[Rendering]) -> Iterator[str]:
        for role, rendering in zip(ROLES[self.options.role], renderings, strict=True):
            for warning in rendering.warnings:
                yield f"cvmpair: {role.value}: {warning}"
            yield f"cvmpair: {role.value}: {rendering.sizes()}"
        if self.options.new and len(renderings) == 1:
            yield "cvmpair: the new PIN is in the context, as cvm_cluster_pin"


def _read_pin(word: str | None, file: str | None) -> str:
    if file is not None:
        return _read(file).decode("ascii", "replace")
    assert word is not None, "one of the three is required"
    return word


def _read(name: str) -> bytes:
    try:
        # What is longer is refused all the same.
        if name == STANDARD:
            return sys.stdin.buffer.read(MAX_SIZE + 1)
        with Path(name).open("rb") as file:
            return file.read(MAX_SIZE + 1)
    except (OSError, ValueError) as failed:
        # A path with a null character is a ValueError.
        reason = failed.strerror if isinstance(failed, OSError) else "not a path"
        raise ContextWrong(f"Cannot read {name}: {reason}.") from None
