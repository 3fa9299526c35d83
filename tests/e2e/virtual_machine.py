"""
Machines on which our agent runs, each below a directory of its own.
"""

import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from attrs import define, field, frozen

from tests.e2e.agents import context_for
from tests.e2e.daemon import environment
from tests.e2e.metadata_server import MetadataServer, serving
from tests.logs import MARKER, new_output

AGENT = (sys.executable, "-m", "cvmpair_agent")
PATIENCE = 60.0

PLACEHOLDER = "###MASTER_IP_PLACEHOLDER###"
RECORD = "/var/lib/cvmpair-agent/pairing.json"
CLOUD_CONFIG = "/var/lib/cloud/instance/cloud-config.txt"
SCRIPT = "/var/lib/cloud/instance/scripts/part-001"
PLAIN = "/var/lib/cloud/instance/scripts/part-002"
"""What has no placeholder."""

TEMPLATES = {
    CLOUD_CONFIG: f"runcmd:\n - join {PLACEHOLDER}:9618 # {MARKER}\n",
    SCRIPT: f"#!/bin/sh\necho {PLACEHOLDER} {PLACEHOLDER}\n",
    PLAIN: f"#!/bin/sh\necho {MARKER}\n",
}
"""What cloud-init writes at every boot."""

AT_ONCE = ("--delay=0.1", "--jitter=0.1", "--tries=100000")
"""A pace for tests in which something comes."""

TWICE = ("--delay=0.1", "--jitter=0", "--tries=2")
"""A pace for tests in which nothing comes."""


@frozen(kw_only=True)
class Ended:
    """
    What came of a command.

    :ivar said: on standard error.
    :ivar printed: on standard output.
    """

    code: int
    said: str
    printed: str

    @property
    def reason(self) -> str:
        """
        The last line that it said, which must be the agent's own.
        """
        line = self.said.splitlines()[-1]
        assert line.startswith("cvmpair-agent: "), self.said
        return line.removeprefix("cvmpair-agent: ")


@define(eq=False, kw_only=True)
class Command:
    """
    The agent as a process.

    :ivar said: the file with its standard error.
    :ivar printed: the file with its standard output.
    """

    process: subprocess.Popen[bytes]
    said: Path
    printed: Path

    def await_said(self, text: str) -> None:
        """
        Wait until it has said something.
        """
        deadline = time.monotonic() + PATIENCE
        while text not in self.said.read_text():
            ended = self.process.poll() is not None
            said = self.said.read_text()
            assert text in said or not ended, said
            assert time.monotonic() < deadline, said
            time.sleep(0.02)

    def end(self, number: signal.Signals) -> Ended:
        """
        End it by a signal.
        """
        self.process.send_signal(number)
        return self.finish()

    def finish(self) -> Ended:
        """
        Wait for its end; no end may be a traceback.
        """
        code = self.process.wait(PATIENCE)
        said = self.said.read_text()
        assert "Traceback" not in said, said
        printed = self.printed.read_text(errors="surrogateescape")
        return Ended(code=code, said=said, printed=printed)


@define(eq=False, kw_only=True)
class VirtualMachine:
    """
    A machine with files of cloud-init, in a cloud that has user data for it.

    :ivar root: the directory that is ``/`` to the agent.
    :ivar metadata: the server of its cloud.
    """

    root: Path
    metadata: MetadataServer
    environment: Mapping[str, str] = field(factory=dict)
    _commands: list[Command] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.write("/etc/machine-id", f"{uuid.uuid4().hex}\n")
        self.boot()

    def boot(self) -> None:
        """
        Have cloud-init write its files, as at every boot.
        """
        for path, text in TEMPLATES.items():
            self.write(path, text)

    def place(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def write(self, path: str, text: str) -> None:
        place = self.place(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def text(self, path: str) -> str:
        return self.place(path).read_text()

    def files(self) -> dict[str, bytes]:
        """
        Return the contents of all files by their paths.
        """
        return {
            f"/{path.relative_to(self.root)}": path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file()
        }

    def check_patched(self, address: str) -> None:
        """
        See to it that the address is in the place of the placeholder.
        """
        for path, text in TEMPLATES.items():
            assert self.text(path) == text.replace(PLACEHOLDER, address)

    def check_untouched(self) -> None:
        """
        See to it that no file has changed, and none has come.
        """
        assert {path: data.decode() for path, data in self.files().items()} == {
            **TEMPLATES,
            "/etc/machine-id": self.text("/etc/machine-id"),
        }

    def start(self, name: str, *words: str) -> Command:
        """
        Run a command of the agent.
        """
        said, printed = new_output(f"{name}-said"), new_output(f"{name}-printed")
        if "--export" in words:
            # It is there to say what is secret.
            printed = self.root.with_suffix(".exported")
        server = ["--metadata-server", self.metadata.url]
        line = [
            *AGENT,
            name,
            f"--root={self.root}",
            *(server if name in {"pair", "source"} else []),
            *words,
        ]
        with said.open("wb") as error, printed.open("wb") as output:
            process = subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=error,
                env={**environment(), **self.environment},
                cwd=self.root.parent,
            )
        self._commands.append(
            command := Command(process=process, said=said, printed=printed)
        )
        return command

    def run(self, name: str, *words: str) -> Ended:
        """
        Run a command of the agent to its end.
        """
        return self.start(name, *words).finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for command in self._commands:
            if command.process.poll() is None:
                command.process.kill()
                command.process.wait()


@contextmanager
def virtual_machine(
    root: Path, user_data: str, variables: Mapping[str, str] | None = None
) -> Iterator[VirtualMachine]:
    """
    Give a machine with that user data, and end what still runs on it.
    """
    server = MetadataServer(user_data.encode(errors="surrogateescape"))
    with (
        serving(server),
        VirtualMachine(
            root=root, metadata=server, environment=variables or {}
        ) as machine,
    ):
        yield machine


def user_data(role: str, url: str, pin: str, lines: Sequence[str] = ()) -> str:
    """
    Return the user data of a machine of that role.
    """
    more = "\n".join([f"cvmfs_tag={MARKER}", *lines])
    return context_for(role, url, pin).replace("cvmfs_path=cvm4", more)
