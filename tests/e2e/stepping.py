"""
The real daemon with a wall clock that can be set while it runs.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import define

from tests.e2e.daemon import LAUNCHERS, Daemon
from tests.e2e.tracing import reserved_port
from tests.logs import new_log

_MODULE = "faketime/libfaketimeMT.so.1"


def _library() -> Path:
    places = [*Path("/usr/lib").glob(f"*/{_MODULE}"), Path("/usr/lib", _MODULE)]
    found = [place for place in places if place.exists()]
    assert found, "there is no libfaketime: install the package faketime"
    return found[0]


@define
class SteppedClock:
    """
    A wall clock for processes, which differs from the true one by some seconds.

    :ivar path: of the file through which a process learns of it.
    """

    path: Path
    difference: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.step(0.0)

    def step(self, seconds: float) -> None:
        """
        Set it by so many seconds.
        """
        self.difference += seconds
        new = self.path.with_suffix(".new")
        new.write_text(f"{self.difference:+.6f}\n")
        new.rename(self.path)

    def at(self, monotonic: float) -> float:
        """
        Return what it shows when the monotonic clock shows this.
        """
        return time.time() + self.difference + monotonic - time.monotonic()

    @property
    def environment(self) -> Mapping[str, str]:
        """
        What a process needs to have this clock.
        """
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


@define(eq=False)
class SteppedDaemon(Daemon):
    """
    A daemon with such a clock.
    """

    def kill(self) -> None:
        super().kill()
        assert self.process is not None
        # libfaketime removes these by itself only in an orderly end.
        for name in ("faketime_shm", "sem.faketime_sem"):
            Path(f"/dev/shm/{name}_{self.process.pid}").unlink(missing_ok=True)


@contextmanager
def stepped_daemon(
    place: Path,
    clock: SteppedClock,
    lifetime: float,
    launcher: Sequence[str] = LAUNCHERS["twistd"],
) -> Iterator[SteppedDaemon]:
    """
    Give a daemon, not yet started, with its state in a directory of that name.
    """
    with reserved_port() as port:
        daemon = SteppedDaemon(
            place,
            options=["--pin-lifetime", f"{lifetime:g}s"],
            environment=clock.environment,
            port=port,
            log=new_log(place.name),
            launcher=launcher,
        )
        try:
            yield daemon
        finally:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.kill()
