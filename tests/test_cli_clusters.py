"""
The command ``cvmpair`` with protected clusters, and with servers known by their keys.
"""

import json
import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from attrs import define, field

from cvmpair.commands.parser import SERVICE_URL
from cvmpair_agent.context.cluster import Role
from tests.client.authority import Authority, fingerprint_of
from tests.contexts.reading import PIN
from tests.e2e.daemon import Daemon, environment, free_port
from tests.logs import PINS
from tests.test_cli import COMMAND, mode, read, run, status

SCOPES = ("read", "write", "admin")
TOKENS = {scope: f"{scope:x<8}.sesame{scope:_<37}" for scope in SCOPES}
CLUSTER = {"pin": PIN, "creation_time": "2026-11-21T00:00:00Z", "tokens": TOKENS}
README = (Path(__file__).parent.parent / "README.md").read_text()
FINGERPRINT = f"sha256:{'5' * 64}"


@define
class Service:
    """
    Always makes the same cluster.

    :ivar asked: the bodies of the requests.
    :ivar deleted: the paths that were to be deleted, with the credentials for it.
    """

    url: str
    asked: list[bytes] = field(factory=list)
    deleted: list[tuple[str, str | None]] = field(factory=list)


@contextmanager
def service(
    cluster: dict[str, object],
    deletion: int = 204,
    status: int = 201,
    media_type: str = "application/json",
) -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.asked.append(self.rfile.read(int(self.headers["Content-Length"] or 0)))
            body = json.dumps(cluster).encode()
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Retry-After", "7")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_DELETE(self) -> None:
            made.deleted.append((self.path, self.headers["Authorization"]))
            self.send_response(deletion)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Service(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


def test_a_protected_cluster_for_people_and_for_programs() -> None:
    with service(CLUSTER) as asked:
        words = ("new", "--protected", "--service-url", asked.url)
        lines, members = run(*words), run(*words, "--json")
    assert lines.stdout.decode().splitlines() == [
        f"pin: {PIN}",
        *(f"{scope}_token: {token}" for scope, token in TOKENS.items()),
    ]
    assert json.loads(members.stdout) == {**CLUSTER, "service_url": asked.url}
    warning = b"cvmpair: The token goes over http://"
    for said in lines.stderr, members.stderr:
        assert said.startswith(warning)
        assert said.count(b"\n") == 1
    assert list(map(json.loads, asked.asked)) == [{"protected": True}] * 2


def test_the_sed_of_the_readme_takes_one_token(tmp_path: Path) -> None:
    lines = re.findall(r"sed -n '[^']+' cluster\.json", README)
    file = tmp_path / "cluster.json"

    def outcome() -> list[str]:
        words = ["sh", "-c", "; ".join(lines)]
        return subprocess.check_output(words, cwd=tmp_path, text=True).splitlines()

    with service(CLUSTER) as asked:
        done = run("new", "--protected", "--json", "--service-url", asked.url)
    file.write_bytes(done.stdout)
    assert outcome() == [f"Authorization: Bearer {TOKENS['write']}", PIN]
    # What is spelled in another way passes no token on.
    file.write_text(json.dumps(CLUSTER))
    assert outcome() == []


def test_a_service_that_protects_all_of_them_loses_no_token(tmp_path: Path) -> None:
    with service(CLUSTER) as asked:
        url = ("--service-url", asked.url)
        done = run("new", *url)
        assert all(token.encode() in done.stdout for token in TOKENS.values())
        refused = run("context", "--new", "--role=master", *url)
        words = ("--role=worker", "--output", tmp_path / "out")
        assert run("context", "--new", *words, *url).returncode == 0
        assert asked.deleted == [
            (f"/api/v1/clusters/{PIN}", f"Bearer {TOKENS['admin']}")
        ]
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert b"name one with --output" in refused.stderr
    assert b"could not be deleted" not in refused.stderr
    assert b"sesame" not in refused.stderr
    assert b"goes over http://" in done.stderr
    assert asked.asked == [b""] * 3
    kept = json.loads((tmp_path / "out-cluster.json").read_text())
    assert kept == {**CLUSTER, "service_url": asked.url}


def test_no_place_for_tokens_and_no_deletion() -> None:
    with service(CLUSTER, deletion=503) as asked:
        refused = run("context", "--new", "--role=master", "--service-url", asked.url)
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert b"name one with --output" in refused.stderr
    assert b"could not be deleted" in refused.stderr
    assert refused.stderr.count(b"\n") == 1
    assert PIN.encode() not in refused.stderr
    assert b"sesame" not in refused.stderr


@pytest.mark.parametrize(
    ("words", "deletion"),
    [(["--protected", "--json"], 204), (["--protected"], 503), ([], 204)],
)
def test_what_cannot_be_told_is_not_kept(words: list[str], deletion: int) -> None:
    cluster = CLUSTER if words else {**CLUSTER, "tokens": None}
    with (
        Path("/dev/full").open("wb") as full,
        service(cluster, deletion=deletion) as asked,
    ):
        line = [*COMMAND, "new", *words, "--service-url", asked.url]
        # Buffered, as it is for everybody else.
        variables = {**environment(), "PYTHONUNBUFFERED": ""}
        done = subprocess.run(
            line, stdout=full, stderr=subprocess.PIPE, env=variables, check=False
        )
    assert asked.deleted == [
        (f"/api/v1/clusters/{PIN}", f"Bearer {TOKENS['admin']}" if words else None)
    ]
    assert done.returncode == 1
    said = done.stderr.decode()
    end = "is deleted again" if deletion == 204 else "stays there until it expires"
    assert re.fullmatch(
        rf"cvmpair: standard output: No space left on device\. [^\n]+{end}\.\n", said
    )
    assert PIN not in said
    assert "sesame" not in said


def test_contexts_without_room_leave_nothing(tmp_path: Path) -> None:
    old = tmp_path / "out-worker"
    old.write_text("as it was")
    place = ("--role=both", "--output", str(tmp_path / "out"))
    with service(CLUSTER) as asked:
        line = ["context", "--new", "--protected", f"--service-url={asked.url}", *place]
        # As on a full disk: a file can be made, but has room for nothing.
        limited = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *COMMAND, *line]
        done = subprocess.run(
            limited, capture_output=True, env=environment(), check=False
        )
    assert [path for path, _ in asked.deleted] == [f"/api/v1/clusters/{PIN}"]
    assert (done.returncode, done.stdout) == (1, b"")
    kept = tmp_path / "out-cluster.json"
    told = rf"cvmpair: {kept}: File too large\. [^\n]+ deleted again\.\n"
    assert re.fullmatch(told, done.stderr.decode())
    assert list(tmp_path.iterdir()) == [old]
    assert old.read_text() == "as it was"


def test_a_context_is_not_written_without_the_other(tmp_path: Path) -> None:
    worker = tmp_path / "out-worker"
    worker.symlink_to("/dev/full")
    words = ("context", "--new", "--role=both", "--output", tmp_path / "out")
    with service({**CLUSTER, "tokens": None}) as asked:
        done = run(*words, "--service-url", asked.url)
    assert asked.deleted == [(f"/api/v1/clusters/{PIN}", None)]
    assert done.returncode == 1
    assert list(tmp_path.iterdir()) == [worker]


def test_without_a_file_for_the_tokens_nothing_is_created(tmp_path: Path) -> None:
    words = ("context", "--new", "--protected", "--role=worker")
    with service(CLUSTER, status=429) as asked:
        url = ("--service-url", asked.url)
        done = run(*words, *url, "--output=/proc/out")
        assert asked.asked == []
        assert done.returncode == 1
        assert re.fullmatch(rb"cvmpair: /proc/out-cluster\.json: [^\n]+\n", done.stderr)
        # And without a cluster no file.
        assert run(*words, *url, "--output", tmp_path / "out").returncode == 1
        assert len(asked.asked) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_protects_none() -> None:
    with service({**CLUSTER, "tokens": None}) as asked:
        done = run("new", "--protected", "--service-url", asked.url)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"does not protect" in done.stderr
    assert PIN.encode() not in done.stderr


PROBLEM = "application/problem+json"


@pytest.mark.parametrize("command", ["new", "context"])
@pytest.mark.parametrize(
    ("status", "media_type", "code", "ends"),
    [
        (429, PROBLEM, 1, "; try again in 7 s. It says: no [2J more"),
        (507, PROBLEM, 1, "; try again in 7 s. It says: no [2J more"),
        (403, PROBLEM, 5, ". It says: no [2J more"),
        (404, PROBLEM, 1, "404 (Not Found). It says: no [2J more"),
        (404, "text/plain", 1, "/api/v1/clusters: check the path of the URL."),
        (429, "application/json", 1, "; try again in 7 s."),
    ],
)
def test_what_the_service_says_of_a_refusal(
    command: str, status: int, media_type: str, code: int, ends: str
) -> None:
    words = ["--new", "--role=worker"] if command == "context" else []
    problem = {"detail": "no\x1b[2J\r\n\u202emore", "title": "sesame"}
    with service(problem, status=status, media_type=media_type) as asked:
        refused = run(command, *words, "--service-url", asked.url)
    assert (refused.returncode, refused.stdout) == (code, b"")
    said = refused.stderr.decode()
    assert re.fullmatch(rf"cvmpair: [^\n]*{re.escape(ends)}\n", said)
    assert "sesame" not in said


def test_contexts_of_a_new_protected_cluster(tmp_path: Path) -> None:
    place = tmp_path / "out"
    words = ("--role=both", "--format=ec2", "--output", place)
    with service(CLUSTER) as asked:
        new = run(
            *("context", "--new", "--protected", "--service-url", asked.url, *words)
        )
    assert new.returncode == 0
    kept = tmp_path / "out-cluster.json"
    assert mode(kept) == 0o600
    assert json.loads(kept.read_text()) == {**CLUSTER, "service_url": asked.url}
    assert f"all tokens are in {kept}" in new.stderr.decode()
    assert b"goes over http://" in new.stderr
    for secret in (PIN, *TOKENS.values()):
        assert secret.encode() not in new.stdout + new.stderr
    # They are lost to no other cluster.
    assert status("context", "--new", f"--service-url={asked.url}", *words) == 2
    assert json.loads(kept.read_text()) == {**CLUSTER, "service_url": asked.url}
    # Those of the file are the same, another time.
    for role, scope in (Role.MASTER, "write"), (Role.WORKER, "read"):
        cluster = read((tmp_path / f"out-{role.value}").read_bytes())
        assert (cluster.pin, cluster.role, cluster.token) == (PIN, role, TOKENS[scope])
        words = ("--cluster-file", kept, "--role", role.value)
        again = run("context", *words)
        assert read(again.stdout) == cluster
        assert cluster.service_url == asked.url


def test_a_cluster_file_from_standard_input() -> None:
    given = json.dumps({**CLUSTER, "service_fingerprint": FINGERPRINT}).encode()
    words = ("context", "--cluster-file=-", "--role=master")
    cluster = read(run(*words, "--service-url=https://h", given=given).stdout)
    assert (cluster.token, cluster.fingerprint) == (TOKENS["write"], FINGERPRINT)
    other = f"sha256:{'6' * 64}"
    named = ("--service-url=https://h", f"--service-fingerprint={other}")
    assert read(run(*words, *named, given=given).stdout).fingerprint == other
    # Whose machines could not do what they were told.
    refused = run(*words, "--service-url=http://h", given=given)
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert b"begins with https://" in refused.stderr
    plain = run(*words, given=json.dumps({"pin": PIN}).encode())
    assert read(plain.stdout).token is None


def test_a_token_goes_to_the_service_of_its_cluster_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cluster.json"
    words = ("context", "--role=worker", "--cluster-file", file)

    def url(*more: str) -> str:
        assert status(*words, *more) == 0
        return read(capfd.readouterr().out.encode()).service_url

    # As the service itself answers, with curl.
    file.write_text(json.dumps(CLUSTER))
    monkeypatch.delenv(SERVICE_URL, raising=False)
    assert status(*words) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith("cvmpair: No service URL is given")
    assert said.err.count("\n") == 1
    base = tmp_path / "base"
    base.write_text("[ucernvm-begin]\ncvm_service_url=https://base\n[ucernvm-end]\n")
    assert url("--base", str(base)) == "https://base"
    monkeypatch.setenv(SERVICE_URL, "https://environment")
    assert url() == "https://environment"
    file.write_text(json.dumps({**CLUSTER, "service_url": "https://kept"}))
    assert url("--base", str(base)) == "https://kept"
    assert url("--service-url=https://named") == "https://named"


@pytest.mark.parametrize(
    "given",
    [
        b"",
        PIN.encode(),
        b"[]",
        b"{}",
        b'{"pin": 1}',
        b'{"pin": "sesame"}',
        b'{"pin": "enico1qq0oey", "tokens": {"write": "sesame"}}',
        b'{"pin": "enico1qq0oey", "tokens": ["sesame"]}',
        b'{"pin": "enico1qq0oey", "service_fingerprint": "sesame"}',
        b'{"pin": "enico1qq0oey", "service_fingerprint": 1}',
        b'{"pin": "enico1qq0oey", "service_url": "ftp://sesame"}',
        b'{"pin": "enico1qq0oey", "service_url": 1}',
        json.dumps({"pin": PIN, "tokens": {"read": TOKENS["read"]}}).encode(),
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_is_no_cluster_file(
    given: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cluster.json"
    file.write_bytes(given)
    assert status("context", "--cluster-file", file, "--role=master") == 2
    check_one_line(capfd)


def check_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    """
    See to it that there is one line about what is wrong, without a secret.
    """
    said = capfd.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"cvmpair: [^\n]+\n", said.err)
    assert PIN not in said.err
    assert "sesame" not in said.err


@pytest.mark.parametrize(
    "words",
    [
        ["new", "--service-url=http://h", f"--service-fingerprint={FINGERPRINT}"],
        ["new", "--service-url=http://h", "--pin-server"],
        ["new", "--service-url=https://h", "--service-fingerprint=sesame"],
        ["context", "--role=master", f"--pin={PIN}", "--pin-server"],
        ["context", "--role=master", f"--pin={PIN}", "--protected"],
        [
            *["context", "--role=master", "--new", "--protected"],
            "--service-url=http://h",
        ],
        ["context", "--role=master", "--cluster-file=-", "--base=-"],
        ["context", "--role=master", f"--pin={PIN}", "--cluster-file=-"],
    ],
)
def test_words_that_do_not_go_together(
    words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    # Nobody answers there.
    assert status(*words) == 2
    check_one_line(capfd)


def test_a_server_that_is_pinned(tmp_path: Path) -> None:
    authority = Authority("authority")
    ca_file, pem = authority.write(tmp_path / "ca.pem"), tmp_path / "server.pem"
    key = fingerprint_of(authority.issue_file(pem, "localhost"))
    port = free_port()
    endpoint = f"ssl:{port}:privateKey={pem}:interface=127.0.0.1"
    trusting = ssl.create_default_context(cafile=ca_file)
    with Daemon(tmp_path / "state", port=port, listen=[endpoint], tls=trusting):
        url = ("--service-url", f"https://localhost:{port}")
        made = run("new", *url, "--pin-server", "--ca-file", ca_file)
        pin, line = made.stdout.decode().splitlines()
        PINS.add(pin.removeprefix("pin: "))
        assert line == f"service_fingerprint: {key}"
        # Whoever knows the key needs no authority.
        known = run("new", *url, "--json", "--service-fingerprint", key)
        assert json.loads(known.stdout)["service_fingerprint"] == key
        PINS.add(json.loads(known.stdout)["pin"])
        other = run(
            "new", *url, "--ca-file", ca_file, "--service-fingerprint", FINGERPRINT
        )
        assert (other.returncode, other.stdout) == (8, b"")
        told = f"expected {FINGERPRINT}, but the server has {key}"
        assert told in other.stderr.decode()
        # Who does not trust it learns no fingerprint to trust it by.
        untrusted = run("new", *url, "--pin-server")
        assert (untrusted.returncode, untrusted.stdout) == (8, b"")
        assert key.encode() not in untrusted.stderr
        words = ("--role=worker", "--ca-file", ca_file, "--pin-server")
        context = read(run("context", "--new", *url, *words).stdout)
        PINS.add(context.pin)
        assert context.fingerprint == key


def command_line(process: subprocess.Popen[bytes]) -> bytes:
    """
    Return the command line of a process, as others see it.
    """
    place = Path(f"/proc/{process.pid}/cmdline")
    # At first it is that of this process.
    while b"\0context\0" not in (seen := place.read_bytes()):
        time.sleep(0.01)
    return seen


def test_other_users_see_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps({**CLUSTER, "service_url": "https://h"}))
    recommended = ["--cluster-file", str(file)]
    for words, shown in (recommended, False), (["--pin", PIN], True):
        line = [*COMMAND, "context", *words, "--role=master", "--base=-"]
        with subprocess.Popen(
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        ) as process:
            seen = command_line(process)
            out, _ = process.communicate(b"")
        assert read(out).pin == PIN
        assert (PIN.encode() in seen) is shown
        assert b"sesame" not in seen
