"""
What one client may do to the daemon: nothing that hurts others, and all that a site
behind one address needs.
"""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from ssl import create_default_context

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.client.authority import Authority
from tests.e2e.daemon import CLUSTERS, Daemon, free_port
from tests.e2e.raw import check_refusal, receive
from tests.e2e.test_waiting import arrived, waiter

DEFAULTS = ("--max-guesses=20", "--max-creations=60")
NEIGHBOUR = "127.0.0.2"
MACHINES = 40
TIMES = 50


@contextmanager
def connection(daemon: Daemon, source: str = "127.0.0.1") -> Iterator[HTTPConnection]:
    opened = HTTPConnection(
        "127.0.0.1", daemon.port, timeout=30, source_address=(source, 0)
    )
    try:
        yield opened
    finally:
        opened.close()


def ask(opened: HTTPConnection, path: str, **headers: str) -> int:
    """
    Send a GET, and return the status of its answer.
    """
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    opened.request("GET", path, headers=names)
    with opened.getresponse() as response:
        response.read()
        return response.status


def key(pin: str) -> str:
    return f"{CLUSTERS}/{pin}/keys/master_ip"


def wrong(number: int) -> str:
    return key(f"sesame{number:06}")


def limited(response: HTTPResponse) -> str:
    """
    See that it is a refusal, and return the name of the limit.
    """
    problem = json.loads(response.read())
    assert response.status == 429
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    return str(problem["limit"])


def test_a_site_behind_one_address(tmp_path: Path) -> None:
    """
    Many machines of many clusters, and a fleet whose PIN has a typing error.
    """
    with Daemon(tmp_path / "state", DEFAULTS) as daemon:
        pins = [daemon.new_pin() for _ in range(20)]
        typo = wrong(0)

        def boot(number: int) -> Counter[int]:
            seen: Counter[int] = Counter()
            path = key(pins[number % len(pins)])
            with connection(daemon) as opened:
                for _ in range(TIMES):
                    seen[ask(opened, path, X_Way="the ordinary one")] += 1
                    seen[ask(opened, path)] += 1
                    seen[ask(opened, typo)] += 1
            value = {"key": f"machine-{number}", "value": "open"}
            added = daemon.send_json("POST", path.rpartition("/")[0], value)
            seen[added.status] += 1
            return seen

        with ThreadPoolExecutor(8) as pool:
            seen = sum(pool.map(boot, range(MACHINES)), Counter[int]())
        assert seen == {404: 3 * MACHINES * TIMES, 201: MACHINES}
        # And all the time there was room for nineteen mistakes more.
        for number in range(1, 20):
            assert daemon.request("GET", wrong(number)).status == 404
        assert daemon.request("GET", wrong(20)).status == 429
        assert daemon.request("GET", key(pins[0])).status == 429
        assert daemon.request("GET", typo).status == 404
        with connection(daemon, NEIGHBOUR) as neighbour:
            assert ask(neighbour, key(pins[0])) == 404
            assert ask(neighbour, wrong(20)) == 404


def test_what_is_shown_of_it(tmp_path: Path) -> None:
    port = free_port()
    admin = f"--admin-listen=tcp:{port}:interface=127.0.0.1"
    with Daemon(
        tmp_path / "state",
        ["--max-guesses=1", "--max-creations=1", "--max-waiters=1", admin],
    ) as daemon:
        waits = key(daemon.new_pin())
        wish = {"Prefer": "wait=60"}
        with waiter(daemon, waits):
            arrived(daemon)
            assert daemon.request("GET", waits, headers=wish).status == 503
        refused = daemon.request("POST", CLUSTERS)
        assert refused.json["limit"] == "creations"
        assert "--max-creations" in refused.json["detail"]
        assert [daemon.request("GET", wrong(n)).status for n in (1, 2)] == [404, 429]
        opened = HTTPConnection("127.0.0.1", port, timeout=30)
        opened.request("GET", "/metrics")
        with opened.getresponse() as response:
            text = response.read().decode()
        opened.close()
    shown = {
        (sample.name, sample.labels.get("limit")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert shown["cvmpair_rejected_total", "guesses"] == 1
    assert shown["cvmpair_rejected_total", "creations"] == 1
    assert shown["cvmpair_rejected_total", "max-waiters"] == 1
    assert shown["cvmpair_tracked_clients", None] == 2
    assert "127.0.0.1" not in text
    log = daemon.log.read_text()
    assert log.count("status=429") == 2
    assert "refused limit=max-waiters client=any" in log


def test_behind_a_trusted_proxy(tmp_path: Path) -> None:
    options = ["--max-guesses=2", "--max-connections=2", "--trusted-proxy=127.0.0.1"]
    with Daemon(tmp_path / "state", options) as daemon, ExitStack() as stack:
        proxy, *_ = [stack.enter_context(connection(daemon)) for _ in range(5)]
        stranger = stack.enter_context(connection(daemon, NEIGHBOUR))
        for number in range(6):
            client = f"192.0.2.{number}"
            made_up = f"for=198.51.100.{number}"
            said = {"X_Forwarded_For": client, "Forwarded": made_up}
            assert ask(proxy, wrong(number), **said) == 404
            expected = 404 if number < 2 else 429
            assert ask(stranger, wrong(number), X_Forwarded_For=client) == expected
        for number in range(6):
            # To IPv6 belongs a whole /64.
            client, made_up = f"[2001:db8::{number}]:4711", f"for=198.51.100.{number}"
            said = {"X_Forwarded_For": client, "Forwarded": made_up}
            expected = 404 if number < 2 else 429
            assert ask(proxy, wrong(number), **said) == expected


@pytest.mark.parametrize("secure", [False, True], ids=["TCP", "TLS"])
def test_too_many_connections(tmp_path: Path, *, secure: bool) -> None:
    port = free_port()
    listen, tls = f"tcp:{port}:interface=127.0.0.1", None
    if secure:
        authority = Authority("An authority")
        pem = tmp_path / "server.pem"
        authority.issue_file(pem, "localhost")
        listen = f"ssl:{port}:privateKey={pem}:certKey={pem}:interface=127.0.0.1"
        tls = create_default_context(cafile=authority.write(tmp_path / "ca.pem"))
    daemon = Daemon(
        tmp_path / "state", ["--max-connections=3"], port=port, listen=[listen], tls=tls
    )
    with daemon, ExitStack() as stack:
        for _ in range(3):
            hold(daemon, stack)
        answer = daemon.request("OPTIONS", CLUSTERS)
        assert answer.status == 429
        assert answer.headers["Connection"] == "close"
        assert answer.json["limit"] == "connections"
        if not secure:
            # It is told so before it says a word, and the end comes in order.
            with connection(daemon) as fourth:
                fourth.connect()
                assert check_refusal(receive(fourth.sock), 429) == answer.json
            with connection(daemon, NEIGHBOUR) as neighbour:
                assert ask(neighbour, wrong(1)) == 404
        stack.close()
        hold(daemon, stack)
        stack.close()
        assert daemon.terminate() == 0
    assert "Traceback" not in daemon.log.read_text()


def hold(daemon: Daemon, stack: ExitStack) -> None:
    """
    Have one connection more, once the end of those before it has been noticed.
    """
    opened = (
        HTTPConnection("127.0.0.1", daemon.port, timeout=30)
        if daemon.tls is None
        else HTTPSConnection("localhost", daemon.port, timeout=30, context=daemon.tls)
    )
    stack.callback(opened.close)
    while ask(opened, CLUSTERS) == 429:
        opened.close()


def test_too_many_waiters(tmp_path: Path) -> None:
    options = ["--max-waiters-per-address=5"]
    with Daemon(tmp_path / "state", options) as daemon, ExitStack() as stack:
        path = key(daemon.new_pin())
        waiters = [stack.enter_context(connection(daemon)) for _ in range(7)]
        for one in waiters:
            one.request("GET", path, headers={"Prefer": "wait=60"})
        refused = waiters[5:]
        assert [limited(one.getresponse()) for one in refused] == ["waiters"] * 2
        with connection(daemon, NEIGHBOUR) as neighbour:
            neighbour.request("GET", path, headers={"Prefer": "wait=60"})
            value = {"key": "master_ip", "value": "192.0.2.7"}
            keys = path.rpartition("/")[0]
            assert daemon.send_json("POST", keys, value).status == 201
            for one in [*waiters[:5], neighbour]:
                with one.getresponse() as response:
                    assert response.status == 200
                    response.read()
