"""
``cvmpair doctor``, beside a daemon and beside what is none.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, redirect_stderr, redirect_stdout
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from threading import Thread

import pytest
from attrs import frozen

from cvmpair import cli
from cvmpair.facts.readiness import readiness
from tests.client.authority import Authority
from tests.e2e.daemon import CLUSTERS, Daemon, environment, free_port
from tests.logs import new_output

COMMAND = [sys.executable, "-m", "cvmpair.cli", "doctor"]


@frozen
class Diagnosis:
    """
    What one run said.

    :ivar levels: by what they are about.
    """

    code: int
    said: str
    levels: dict[str, str]

    def line(self, about: str) -> str:
        (line,) = (
            line for line in self.said.splitlines() if line[5:].startswith(f"{about}: ")
        )
        return line


def doctor(*words: object, prefix: Sequence[str] = ()) -> Diagnosis:
    """
    Run the command in this process, or under another.
    """
    if prefix:
        done = subprocess.run(
            [*prefix, *COMMAND, *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            env=environment(),
            timeout=60,
        )
        return diagnosis(done.returncode, done.stdout, done.stderr)
    with (
        redirect_stdout(StringIO()) as stdout,
        redirect_stderr(StringIO()) as stderr,
        pytest.raises(SystemExit) as ended,
    ):
        cli.main(["doctor", *map(str, words)])
    return diagnosis(ended.value.code, stdout.getvalue(), stderr.getvalue())


def diagnosis(code: object, said: str, failure: str) -> Diagnosis:
    new_output("doctor").write_text(said + failure)
    assert "Traceback" not in failure
    levels = {line[5:].split(": ")[0]: line[:5].strip() for line in said.splitlines()}
    if failed := list(levels.values()).count("fail"):
        assert failure == f"cvmpair: {failed} of {len(levels)} checks failed\n"
    assert isinstance(code, int)
    return Diagnosis(code, said + failure, levels)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("doctor") / "state") as running:
        running.new_pin()
        yield running


def test_beside_a_daemon_that_runs(daemon: Daemon) -> None:
    listen = f"--listen={daemon.listen[0]}"
    words = ("--service-url", daemon.url, "--try", "--state-dir", daemon.state_dir)
    found = doctor(*words, "--", listen, "--max-waiters=100")
    assert found.code == 0
    assert daemon.process is not None
    assert f"process {daemon.process.pid}" in found.line("lock")
    assert f"process {daemon.process.pid}" in found.line("open files")
    assert "1 clusters" in found.line("state file")
    for about in ("configuration", "service", "trial", "clock and service"):
        assert found.levels[about] == "ok"
    held = f"held by the daemon, process {daemon.process.pid}"
    assert found.line(listen.replace("=", " ", 1)).endswith(held)
    # The trial has left nothing behind, and nobody was disturbed.
    assert "1 clusters" in doctor("--state-dir", daemon.state_dir).line("state file")
    daemon.new_pin()


def test_tokens_that_go_in_clear(daemon: Daemon) -> None:
    words = ("--service-url", daemon.url, "--state-dir", daemon.state_dir)
    assert "tokens" not in doctor(*words).levels
    line = doctor(*words, "--", "--require-protected").line("tokens")
    assert line.startswith(f"warn tokens: they go to {daemon.url}, and anybody")


def test_a_key_that_every_user_may_read(tmp_path: Path) -> None:
    pem = tmp_path / "server.pem"
    Authority("authority").issue_file(pem, "localhost")
    pem.chmod(0o644)
    for option in "--listen", "--admin-listen":
        words = ("--", f"{option}=ssl:8443:privateKey={pem}")
        line = doctor(*words).line("private keys")
        assert line.startswith(f"warn private keys: every user may read {pem} (mode")
        assert f"; chmod 0640 {pem}," in line
    pem.chmod(0o640)
    assert doctor(*words).levels["private keys"] == "ok"


def test_addresses(daemon: Daemon, tmp_path: Path) -> None:
    assert daemon.process is not None
    own, free = daemon.listen[0], free_port()
    here = f"process {os.getpid()}"
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as other,
        closing(socket.socket(socket.AF_UNIX)) as local,
    ):
        local.bind(str(tmp_path / "taken"))
        local.listen()
        taken = other.getsockname()[1]
        expected = {
            own: ("fail", f"held by process {daemon.process.pid}"),
            f"tcp:{taken}:interface=127.0.0.1": ("fail", f"held by {here}"),
            f"tcp:{taken}": ("fail", f"held by {here}"),
            f"unix:{tmp_path}/taken": ("fail", f"held by {here}"),
            f"unix:{tmp_path}/free": ("ok", "free"),
            f"unix:{tmp_path}/missing/socket": ("fail", "No such file"),
            f"tcp:{free}": ("ok", "free"),
            "tcp:0:interface=192.0.2.1": ("fail", "Cannot assign"),
            "tcp:99999": ("fail", "there is no port 99999"),
            "tcp6:0": ("ok", "free"),
        }
        words = [f"--admin-listen={words}" for words in expected]
        # Another daemon than the one that runs.
        found = doctor("--state-dir", tmp_path / "state", "--", *words)
    for words_, (level, said) in expected.items():
        line = found.line(f"--admin-listen {words_}")
        assert line.startswith(f"{level:5}")
        assert said in line
    assert not (tmp_path / "free").exists()
    daemon.new_pin()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_port_for_root_only() -> None:
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if subprocess.run([*prefix, sys.executable, "-c", ""], check=False).returncode:
        pytest.skip("this Python is only for root")
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) < 2:
        pytest.skip("here anybody may listen there")
    found = doctor("--listen=tcp:1", prefix=prefix)
    assert "as nobody: Permission denied; name a port" in found.line("--listen tcp:1")


def test_as_json(daemon: Daemon) -> None:
    done = subprocess.run(
        [*COMMAND, "--json", "--service-url", daemon.url],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
        cwd=daemon.log.parent,
    )
    verdicts = json.loads(done.stdout)
    assert all(
        verdict.keys() == {"about", "level", "text", "next_step"}
        for verdict in verdicts
    )
    (service,) = (one for one in verdicts if one["about"] == "service")
    assert (service["level"], service["next_step"]) == ("ok", "")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--max-waiters=no",), "--max-waiters must be"),
        (("--nonsense",), "--nonsense"),
        (("words",), "unexpected argument"),
    ],
)
def test_a_wrong_configuration(words: tuple[str, ...], hint: str) -> None:
    found = doctor("--", *words)
    assert found.code == 1
    assert hint in found.line("configuration")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("tcp:nonsense", "invalid literal for int() with base 10: 'nonsense'; twistd"),
        ("ssl:0:privateKey=/missing", "privateKey=/missing cannot be read: No such"),
        ("tls:/missing:port=0", "endpoint: /missing is no directory; put that right"),
    ],
)
def test_an_endpoint_that_cannot_be_used(tmp_path: Path, words: str, hint: str) -> None:
    found = doctor("--state-dir", tmp_path, "--", f"--admin-listen={words}")
    assert found.code == 1
    line = found.line(f"--admin-listen {words}")
    assert line.startswith("fail ")
    assert hint in line
    # The rest is looked at all the same.
    for about in "configuration", "private keys", "state directory", "disk space":
        assert found.levels[about] in {"ok", "warn", "fail"}


def test_a_directory_that_is_open_to_others(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    found = doctor("--state-dir", tmp_path / "state")
    assert found.code == 1
    assert "chmod 0700" in found.line("state directory")


def test_a_file_that_is_damaged_or_open(daemon: Daemon, tmp_path: Path) -> None:
    state = tmp_path / "state"
    # Without its log it lacks what was saved.
    state.mkdir(mode=0o700)
    for name in "cvmpair.db", "cvmpair.db-note":
        shutil.copy(daemon.state_dir / name, state)
        (state / name).chmod(0o600)
    found = doctor("--state-dir", state)
    assert found.levels["state file"] == "fail"
    assert "was removed" in found.line("state file")
    (state / "cvmpair.db").chmod(0o640)
    assert "chmod 0600" in doctor("--state-dir", state).line("state file")


def test_no_directory(tmp_path: Path) -> None:
    found = doctor("--state-dir", tmp_path / "a" / "b")
    assert found.code == 0
    assert "does not exist yet" in found.line("state directory")
    file = tmp_path / "file"
    file.touch()
    for place in file, file / "state":
        found = doctor("--state-dir", place)
        assert found.code == 1
        assert f"{file} is no directory; name" in found.line("state directory")


@pytest.mark.parametrize("suffix", ["-wal", "-note"])
def test_what_is_left_of_a_state(tmp_path: Path, suffix: str) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / f"cvmpair.db{suffix}").touch(0o600)
    found = doctor("--state-dir", tmp_path)
    assert found.code == 1
    assert f"it is missing while its {suffix} file" in found.line("state file")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "lock").touch(0o600)
    assert "owner of the state" not in doctor("--state-dir", tmp_path).levels
    os.chown(tmp_path, 65534, 65534)
    found = doctor("--state-dir", tmp_path)
    assert found.code == 1
    assert "lock (root); chown -R nobody" in found.line("owner of the state")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user() -> None:
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    # Others cannot reach the directories of a test.
    reachable = Path(tempfile.mkdtemp(prefix="cvmpair-state-"))
    try:
        done = subprocess.run([*prefix, sys.executable, "-c", ""], check=False)
        if done.returncode != 0:
            pytest.skip("this Python is only for root")
        found = doctor("--state-dir", reachable, prefix=prefix)
    finally:
        shutil.rmtree(reachable)
    assert found.code == 1
    assert "belongs to the user root, and this" in found.line("state directory")
    # What it cannot see it does not say.
    assert "the user nobody cannot see who has it" in found.line("lock")
    assert "state file" not in found.levels


def test_nobody_there() -> None:
    found = doctor("--service-url", f"http://127.0.0.1:{free_port()}")
    assert found.code == 1
    assert "refused" in found.line("service")
    assert doctor("--try").code == 2
    assert doctor("--service-fingerprint=nonsense").code == 2
    assert doctor("--service-url", "nonsense://a").code == 2
    words = ("--service-url=https://localhost:1", "--ca-file=/missing")
    assert "--ca-file" in doctor(*words).said


class Other(BaseHTTPRequestHandler):
    """
    Some other server.
    """

    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()
        self.wfile.write(b"It cannot save,\nsay.\n")

    def do_OPTIONS(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_another_server() -> None:
    with HTTPServer(("127.0.0.1", 0), Other) as server:
        Thread(target=server.handle_request).start()
        found = doctor("--service-url", f"http://127.0.0.1:{server.server_port}")
    assert found.levels["service"] == "fail"
    assert "status 404" in found.line("service")


def test_what_cannot_save() -> None:
    with HTTPServer(("127.0.0.1", 0), Other) as server:
        Thread(target=server.handle_request).start()
        place = ("127.0.0.1", server.server_port)
        assert readiness(place, tls=False) == "It cannot save, say."
    assert readiness(place, tls=False) is None


def test_a_service_that_saves_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with Daemon(state, ["--max-clusters=1"]) as daemon:
        daemon.new_pin()
        found = doctor("--service-url", daemon.url, "--try")
    assert "status 507; wait until clusters expire, or" in found.line("trial")


def test_a_service_with_a_limit(tmp_path: Path) -> None:
    with Daemon(tmp_path / "state", ["--max-creations=1"]) as daemon:
        daemon.new_pin()
        found = doctor("--service-url", daemon.url, "--try")
    line = found.line("trial")
    assert "status 429; wait a minute, or raise --max-creations" in line


def test_whether_it_can_save(tmp_path: Path, daemon: Daemon) -> None:
    path = tmp_path / "admin"
    words = ("--", f"--admin-listen=unix:{path}", f"--admin-listen=tcp:{free_port()}")
    with Daemon(tmp_path / "state", words[1:]) as watched:
        found = doctor("--state-dir", watched.state_dir, *words)
    assert found.line("saving").startswith("ok   saving: the daemon has saved")
    line = doctor("--state-dir", daemon.state_dir).line("saving")
    assert line.startswith("warn saving: nobody has asked")
    assert "saving" not in doctor("--state-dir", tmp_path / "none").levels


def test_tls(tmp_path: Path) -> None:
    authority = Authority("authority")
    ca_file = authority.write(tmp_path / "ca.pem")
    pem, port = tmp_path / "server.pem", free_port()
    authority.issue_file(pem, "localhost")
    listen = f"ssl:{port}:privateKey={pem}:certKey={pem}:interface=127.0.0.1"
    plain = free_port()
    listens = [f"tcp:{plain}:interface=127.0.0.1", listen]
    with Daemon(
        tmp_path / "state", ["--header-timeout=1s"], port=plain, listen=listens
    ):
        in_clear = doctor(f"--service-url=http://localhost:{port}")
        encrypted = doctor(f"--service-url=https://localhost:{plain}")
        url = f"--service-url=https://localhost:{port}"
        good = doctor(url, "--ca-file", ca_file, "--try")
        unknown = doctor(url, "--try")
        other = doctor(f"--service-url=https://127.0.0.1:{port}", "--ca-file", ca_file)
        key = good.line("certificate's key").split()[-1]
        pinned = doctor(url, "--service-fingerprint", key, "--try")
        wrong = doctor(url, "--service-fingerprint", f"sha256:{'0f' * 32}", "--try")
    assert "without an answer: it may speak TLS" in in_clear.line("service")
    assert "it may speak plain HTTP there" in encrypted.line("service")
    assert pinned.levels["certificate"] == pinned.levels["trial"] == "ok"
    assert f"Wrong key: expected sha256:{'0f' * 32}, but" in wrong.line("certificate")
    assert "; Either this is not the service, or" in wrong.line("certificate")
    assert "trial" not in wrong.levels
    assert good.levels["certificate"] == good.levels["trial"] == "ok"
    assert "localhost" in good.line("certificate")
    assert good.levels["certificate's end"] == "warn"
    assert "sha256:" in good.line("certificate's key")
    assert unknown.levels["certificate"] == "fail"
    # What is not trusted is told no secret.
    assert "trial" not in unknown.levels
    assert "not one for 127.0.0.1" in other.line("certificate")


def test_what_it_says_has_no_pin(daemon: Daemon) -> None:
    pin = daemon.new_pin()
    assert daemon.request("GET", f"{CLUSTERS}/{pin}").status == 200
    assert pin not in doctor("--state-dir", daemon.state_dir).said
