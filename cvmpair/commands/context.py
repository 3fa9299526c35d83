"""
``cvmpair context``: write what the machines of a cluster are to be given.
"""

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import evolve, field, frozen

from cvmpair.commands import output
from cvmpair.commands.cluster import NO_PLACE, SCOPE, KnownCluster
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
ANY_TOKEN: Final = f"{'0' * 8}.{'0' * 43}"
ANY_FINGERPRINT: Final = f"sha256:{'0' * 64}"
ANY_PIN: Final = "0" * 12
"""What stands for a PIN that does not exist yet, as the others do."""


@frozen(kw_only=True)
class ContextCommand:
    """
    One run of the command.

    :ivar service_url: as the command line or the environment names it, if they do.
    :ivar create: asks the service for a cluster, with ``--new``, and is given what
        keeps it; if that fails, there is no such cluster afterwards.
    """

    options: Namespace = field(repr=False)
    service_url: str | None
    create: Callable[[Callable[[KnownCluster], None]], KnownCluster]

    def run(self) -> None:
        """
        Write the contexts, and say on standard error what a person should know.

        Nothing is written, and no cluster created, unless everything can be.

        :raises ContextWrong: if something cannot be followed.
        """
        options = self.options
        self._check_words()
        cluster = self._expected() if options.new else self._given()
        base = b"" if options.base is None else _read(options.base)
        places = self._places()
        renderings = self._renderings(base, cluster)
        steps = [self._next_step(place) for place in places]
        if options.new:
            with self._kept() as file:
                cluster = self.create(
                    lambda new: self._write(
                        places, self._renderings(base, new), new, file
                    )
                )
            renderings = self._renderings(base, cluster)
            if cluster.tokens:
                print(f"cvmpair: all tokens are in {file}: keep it", file=sys.stderr)
        else:
            self._write(places, renderings)
        for line in (*self._remarks(renderings), *filter(None, steps)):
            print(line, file=sys.stderr)

    def _given(self) -> KnownCluster:
        options = self.options
        if options.cluster_file is not None:
            cluster = KnownCluster.from_json(
                _read(options.cluster_file), _name(options.cluster_file)
            )
        else:
            cluster = KnownCluster(pin=_read_pin(options.pin, options.pin_file))
        # The environment may name another service, which is to be shown no token.
        named = None if options.service_url is None else self.service_url
        return evolve(
            cluster,
            service_url=named or cluster.service_url or self.service_url,
            fingerprint=options.service_fingerprint or cluster.fingerprint,
        )

    def _expected(self) -> KnownCluster:
        options = self.options
        scopes = SCOPE.values() if options.protected else ()
        return KnownCluster(
            pin=ANY_PIN,
            service_url=self.service_url,
            tokens=dict.fromkeys(scopes, ANY_TOKEN),
            fingerprint=ANY_FINGERPRINT
            if options.pin_server
            else options.service_fingerprint,
        )

    @contextmanager
    def _kept(self) -> Iterator[Path | None]:
        """
        Yield a file for the tokens of a new cluster, which are to be had only once.
        """
        name = self.options.output
        if name is None:
            yield None
            return
        file = Path(f"{name}-cluster.json")
        output.check(file, is_directory=False)
        if file.exists():
            raise ContextWrong(
                f"{file} holds the tokens of another cluster: move it away, or name "
                "another --output."
            )
        with output.claimed(file):
            yield file

    def _write(
        self,
        places: list[Path | None],
        renderings: list[Rendering],
        new: KnownCluster | None = None,
        file: Path | None = None,
    ) -> None:
        """
        Write the contexts, and the tokens of a new cluster, or nothing.
        """
        bodies: dict[Path, bytes | Mapping[str, bytes]] = {}
        if new is not None and new.tokens:
            if file is None:
                raise ContextWrong(NO_PLACE)
            bodies[file] = f"{new.to_json()}\n".encode()
        for rendering, place in zip(renderings, places, strict=True):
            if place is not None:
                bodies[place] = rendering.body
            elif isinstance(rendering.body, bytes):
                with output.naming(output.STANDARD_OUTPUT):
                    sys.stdout.buffer.write(rendering.body)
                    sys.stdout.buffer.flush()
        output.write(bodies)

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
        if options.protected and options.output is None:
            raise ContextWrong(NO_PLACE)
        files = (options.base, options.pin_file, options.cluster_file)
        if files.count(STANDARD) > 1:
            raise ContextWrong(
                "Only one of --base, --pin-file and --cluster-file can be '-'."
            )
        if not options.new and (options.protected or options.pin_server):
            raise ContextWrong(
                "--protected and --pin-server are of use only with --new; what `cvmpair"
                " new` has printed with them is read with --cluster-file."
            )

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

    def _renderings(self, base: bytes, cluster: KnownCluster) -> list[Rendering]:
        roles = ROLES[self.options.role]
        return [self._rendering(base, cluster, role) for role in roles]

    def _rendering(self, base: bytes, cluster: KnownCluster, role: Role) -> Rendering:
        target = FORMATS[self.options.format]
        assignment = Assignment(
            pin=cluster.pin,
            role=role,
            service_url=cluster.service_url,
            token=cluster.token_for(role),
            fingerprint=cluster.fingerprint,
        )
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
    if file is None:
        assert word is not None, "one of them is required"
        return pin(word)
    text = _read(file).decode("ascii", "replace")
    try:
        return pin(text)
    except ContextWrong:
        raise ContextWrong(
            f"{_name(file)} is no PIN file: it has to hold a PIN and nothing else. "
            "What `cvmpair new --json` prints is read with --cluster-file."
        ) from None


def _name(file: str) -> str:
    return "standard input" if file == STANDARD else file


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
        raise ContextWrong(f"Cannot read {_name(name)}: {reason}.") from None
