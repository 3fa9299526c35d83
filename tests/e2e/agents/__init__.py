"""
The boot agents of CernVM, written anew in POSIX sh, and machines to run them.
"""

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from attrs import define, field

from tests.e2e.daemon import ROOT, Daemon, environment

SCRIPTS = Path(__file__).parent
EXAMPLES = ROOT / "etc" / "examples"
PATIENCE = 60.0


@define(eq=False)
class Machine:
    """
    A machine with a context file, on which agents run.

    :ivar role: which of the example contexts it has.
    :ivar directory: where the file is put.
    """

    role: str
    daemon: Daemon
    pin: str
    directory: Path
    pause: str = "0.1"
    tries: int = 600
    context: Path = field(init=False)
    _output: Path = field(init=False)
    _agent: subprocess.Popen[bytes] | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.directory.mkdir()
        self.context = self.directory / "user-data"
        self._output = self.directory / "output"
        self.context.write_text(context_for(self.role, self.daemon.url, self.pin))

    def start(self, script: str, *words: str, **variables: str) -> None:
        """
        Run an agent.
        """
        pace: Mapping[str, str] = {"PAUSE": self.pause, "TRIES": str(self.tries)}
        with self._output.open("wb") as output:
            self._agent = subprocess.Popen(
                ["sh", SCRIPTS / script, self.context, *words],
                stdout=output,
                stderr=output,
                env={**environment(), **pace, **variables},
            )

    def finish(self) -> str:
        """
        Wait for the end of the agent, and return what it printed.
        """
        assert self._agent is not None
        assert self._agent.wait(PATIENCE) == 0
        return self._output.read_text()

    def run(self, script: str, *words: str, **variables: str) -> str:
        """
        Run an agent to its end, and return what it printed.
        """
        self.start(script, *words, **variables)
        return self.finish()

    def await_output(self, text: str) -> None:
        """
        Wait until the agent has printed something.
        """
        deadline = time.monotonic() + PATIENCE
        while text not in self._output.read_text():
            assert time.monotonic() < deadline, self._output.read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        """
        End the agent, if it still runs.
        """
        if self._agent is not None and self._agent.poll() is None:
            self._agent.kill()
            self._agent.wait()


def context_for(role: str, url: str, pin: str) -> str:
    """
    Return an example context for a service and a PIN of a test.
    """
    example = (EXAMPLES / f"{role}.context").read_text()
    return example.replace(
        "cvm_cluster_pin=enico1qq0oey",
        f"cvm_cluster_pin={pin}\ncvm_service_url={url}",
    )
