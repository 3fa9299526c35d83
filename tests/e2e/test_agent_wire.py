"""
How the agent reaches the service: over TLS, and never through a proxy.
"""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from time import time

import pytest

from tests.client.authority import Authority
from tests.e2e.daemon import CLUSTERS, Daemon, free_port
from tests.e2e.stepping import SteppedClock
from tests.e2e.virtual_machine import (
    AT_ONCE,
    TWICE,
    VirtualMachine,
    user_data,
    virtual_machine,
)

ADDRESS = "10.10.25.5"
PIN = "enico1qq0oey"

Boot = Callable[..., VirtualMachine]


@pytest.fixture
def authority() -> Authority:
    return Authority("A private authority")


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Boot]:
    """
    Makes machines of some role, for a service and a PIN.
    """
    with ExitStack() as machines:
        roots = (tmp_path / f"root-{number}" for number in range(100))

        def boot(role: str, url: str, pin: str, **variables: str) -> VirtualMachine:
            data = user_data(role, url, pin)
            machine = virtual_machine(next(roots), data, variables)
            return machines.enter_context(machine)

        yield boot


@contextmanager
def secure(place: Path, authority: Authority, *names: str) -> Iterator[Daemon]:
    """
    Run a daemon with a certificate for these names.
    """
    place.mkdir()
    pem, trusted = place / "service.pem", place / "authority.pem"
    authority.write(trusted)
    authority.issue_file(pem, *names)
    context = ssl.create_default_context(cafile=trusted)
    context.check_hostname = False
    port = free_port()
    endpoint = f"ssl:{port}:privateKey={pem}:certKey={pem}:interface=127.0.0.1"
    with Daemon(place / "state", port=port, listen=[endpoint], tls=context) as daemon:
        yield daemon


def https(daemon: Daemon) -> str:
    return f"https://localhost:{daemon.port}"


def publish(daemon: Daemon, pin: str) -> None:
    """
    Be the master.
    """
    for key, value in ("master_ip", ADDRESS), ("master_ready", "yes"):
        path = f"{CLUSTERS}/{pin}/keys"
        answer = daemon.send_json("POST", path, {"key": key, "value": value})
        assert answer.status == 201


def test_a_private_authority(tmp_path: Path, authority: Authority, boot: Boot) -> None:
    trust = f"--ca-file={authority.write(tmp_path / 'ca.pem')}"
    with secure(tmp_path / "daemon", authority, "localhost") as daemon:
        pin = daemon.new_pin()
        master = boot("master", https(daemon), pin)
        worker = boot("worker", https(daemon), pin)
        assert master.run("pair", *AT_ONCE, trust, f"--address={ADDRESS}").code == 0
        assert master.run("ready", *AT_ONCE, trust).code == 0
        assert worker.run("pair", *AT_ONCE, trust).code == 0
        worker.check_patched(ADDRESS)


def test_a_certificate_that_cannot_be_trusted(
    tmp_path: Path, authority: Authority, boot: Boot
) -> None:
    ours = f"--ca-file={authority.write(tmp_path / 'ca.pem')}"
    others = f"--ca-file={Authority('Another').write(tmp_path / 'other.pem')}"
    with secure(tmp_path / "daemon", authority, "other.example") as daemon:
        pin = daemon.new_pin()
        worker = boot("worker", https(daemon), pin)
        for words, reason in {
            (): "is not signed by an authority",
            (others,): "is not signed by an authority",
            (ours,): "is not one for localhost",
        }.items():
            # It would be tried for hours if that made sense.
            refused = worker.run("pair", *AT_ONCE, *words)
            assert (refused.code, reason in refused.reason) == (8, True)
            found, _ = refused.said.splitlines()
            assert "found the context" in found
        worker.check_untouched()


def test_a_file_with_no_authority(tmp_path: Path, boot: Boot) -> None:
    (tmp_path / "ca.pem").write_text("sesame")
    worker = boot("worker", "https://localhost:1", PIN)
    for name, reason in ("ca.pem", "PEM form"), ("none.pem", "No such file"):
        file = tmp_path / name
        refused = worker.run("pair", *TWICE, f"--ca-file={file}")
        assert refused.code == 2
        assert f"--ca-file '{file}' cannot be read" in refused.reason
        assert reason in refused.reason
    worker.check_untouched()


def test_plain_http_where_tls_should_be(tmp_path: Path, boot: Boot) -> None:
    # It waits for the rest of what is no request.
    with Daemon(tmp_path / "state", options=["--header-timeout=1s"]) as daemon:
        worker = boot("worker", https(daemon), daemon.new_pin())
        ended = worker.run("pair", *TWICE)
        # It may have no time for what tells that.
        early = worker.run("pair", "--timeout=0.5")
    for one in ended, early:
        assert one.code == 8
        assert "it may speak plain HTTP there" in one.reason
    worker.check_untouched()


def test_a_clock_that_is_set_too_late(
    tmp_path: Path, authority: Authority, boot: Boot
) -> None:
    trust = f"--ca-file={authority.write(tmp_path / 'ca.pem')}"
    clock = SteppedClock(tmp_path / "clock")
    clock.step(10.0 - time())
    with secure(tmp_path / "daemon", authority, "localhost") as daemon:
        pin = daemon.new_pin()
        publish(daemon, pin)
        worker = boot("worker", https(daemon), pin, **clock.environment)
        waiting = worker.start("pair", *AT_ONCE, trust)
        waiting.await_said("by the clock of this machine its certificate is not valid")
        clock.step(-clock.difference)
        assert waiting.finish().code == 0
        worker.check_patched(ADDRESS)


@contextmanager
def recording_proxy() -> Iterator[tuple[str, list[bytes]]]:
    """
    Give the URL of a proxy, and what it was asked.
    """
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                connection, _ = listening.accept()
                with connection:
                    first = connection.recv(4096)
                    if first == b"end":
                        return
                    asked.append(first)

        thread = Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
        finally:
            with socket.create_connection(listening.getsockname()) as connection:
                connection.sendall(b"end")
            thread.join()


@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
def test_no_proxy_is_used(
    tmp_path: Path, authority: Authority, boot: Boot, *, encrypted: bool
) -> None:
    trust = f"--ca-file={authority.write(tmp_path / 'ca.pem')}"
    with ExitStack() as stack:
        url, asked = stack.enter_context(recording_proxy())
        names = ("http_proxy", "https_proxy", "all_proxy")
        variables = {name: url for low in names for name in (low, low.upper())}
        if encrypted:
            secured = secure(tmp_path / "daemon", authority, "localhost")
            daemon = stack.enter_context(secured)
        else:
            daemon = stack.enter_context(Daemon(tmp_path / "state"))
        pin = daemon.new_pin()
        service = https(daemon) if encrypted else daemon.url
        master = boot("master", service, pin, **variables)
        worker = boot("worker", service, pin, **variables)
        assert master.run("pair", *AT_ONCE, trust, f"--address={ADDRESS}").code == 0
        assert master.run("ready", *AT_ONCE, trust).code == 0
        assert worker.run("pair", *AT_ONCE, trust).code == 0
        worker.check_patched(ADDRESS)
        assert asked == []
