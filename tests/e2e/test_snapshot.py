"""
``cvmpair snapshot``: a backup of a daemon that is written to, and a restore from it.
"""

import os
import pty
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path
from threading import Event, Thread
from typing import Self

import pytest
from attrs import define, field, frozen

from cvmpair import cli
from tests.e2e.daemon import CLUSTERS, Daemon, environment
from tests.logs import MARKER, PINS, new_output

COMMAND = [sys.executable, "-m", "cvmpair.cli", "snapshot"]


@frozen
class Done:
    """
    How a command ended.
    """

    returncode: int
    stdout: bytes
    stderr: bytes


def snapshot(*words: object, given: bytes = b"") -> Done:
    """
    Run the command in this process.
    """
    streams = {"stdin": BytesIO(given), "stdout": BytesIO(), "stderr": BytesIO()}
    with pytest.MonkeyPatch.context() as patched:
        for name, stream in streams.items():
            patched.setattr(sys, name, TextIOWrapper(stream, write_through=True))
        with pytest.raises(SystemExit) as ended:
            cli.main(["snapshot", *map(str, words)])
        stdout, stderr = streams["stdout"].getvalue(), streams["stderr"].getvalue()
    new_output("snapshot").write_bytes(stderr)
    assert b"Traceback" not in stderr
    assert len(stderr.splitlines()) <= 1
    assert MARKER.encode() not in stderr
    assert isinstance(ended.value.code, int)
    return Done(ended.value.code, stdout, stderr)


def refusal(*words: object, given: bytes = b"") -> str:
    """
    Return the line with which a command is refused.
    """
    done = snapshot(*words, given=given)
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.startswith(b"cvmpair: ")
    return done.stderr.decode()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@define
class Writing:
    """
    Writes to a daemon, one change after the other.

    :ivar acknowledged: the ``ETag`` of each key, in the order of the writes.
    """

    daemon: Daemon
    acknowledged: dict[str, str] = field(factory=dict)
    failed: list[int] = field(factory=list)
    _thread: Thread = field(init=False)
    _end: Event = field(factory=Event)

    def run(self) -> None:
        number = 0
        while not self._end.is_set():
            if number % 20 == 0:
                keys = f"{CLUSTERS}/{self.daemon.new_pin()}/keys"
            key = {"key": f"key{number}", "value": MARKER * 500}
            answer = self.daemon.send_json("POST", keys, key)
            if answer.status == 201:
                self.acknowledged[f"{keys}/key{number}"] = answer.headers["ETag"]
            else:
                self.failed.append(answer.status)
            number += 1

    def __enter__(self) -> Self:
        self._thread = Thread(target=self.run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


def test_a_backup_under_writes_and_a_restore(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    with Daemon(old) as daemon:
        with Writing(daemon) as writing:
            for number in range(3):
                while len(writing.acknowledged) < 50 * (number + 1):
                    assert writing._thread.is_alive()
                    time.sleep(0.01)
                before = dict(writing.acknowledged)
                export = tmp_path / f"export{number}"
                done = snapshot("export", "--state-dir", old, "--output", export)
                assert done.returncode == 0, done.stderr
                verified = snapshot("verify", "--state-dir", old)
                assert verified.stdout.startswith(b"OK: "), verified.stderr
        # Nobody was disturbed.
        assert writing.failed == []
        assert mode(export) == 0o600
        pin_times = daemon.request("GET", next(iter(before)).partition("/keys")[0])
        # A restart after the export, whose versions are not to come again.
        daemon.kill()
        daemon.start()
        url = next(iter(before))
        late = daemon.send_json("PUT", url, {"key": "key0", "value": "late"})
        assert "flush failed" not in daemon.log.read_text()
    assert snapshot("verify", export).stdout.startswith(b"OK: ")
    done = snapshot("import", "--state-dir", new, export)
    assert done.returncode == 0, done.stderr
    assert mode(new) == 0o700
    assert {mode(path) for path in new.iterdir()} == {0o600}
    with Daemon(new) as restored:
        for key, etag in before.items():
            read = restored.request("GET", key)
            assert (read.status, read.headers["ETag"]) == (200, etag)
            assert read.text == f"{key.rpartition('/')[2]}: {MARKER * 500}"
        key, etag = list(before.items())[-1]
        unchanged = {"If-None-Match": etag}
        assert restored.request("GET", key, None, unchanged).status == 304
        cluster = restored.request("GET", url.partition("/keys")[0])
        times = ("creation_time", "expiration_time")
        assert [cluster.json[name] for name in times] == [
            pin_times.json[name] for name in times
        ]
        headers = {"Content-Type": "application/json"}
        body = f'{{"key": "{key.rpartition("/")[2]}", "value": "new"}}'
        right, wrong = {"If-Match": etag}, {"If-Match": late.headers["ETag"]}
        assert restored.request("PUT", key, body, headers | wrong).status == 412
        changed = restored.request("PUT", key, body, headers | right)
        assert changed.status == 200
        # What the other gave out after the export means nothing here.
        assert changed.headers["ETag"] != late.headers["ETag"]
        number = int(re.sub(r"\D", "", changed.headers["ETag"]))
        assert number > int(re.sub(r"\D", "", late.headers["ETag"]))


def test_a_restore_says_what_is_valid_again(tmp_path: Path) -> None:
    old, new, export = (tmp_path / name for name in ("old", "new", "export"))
    with Daemon(old) as daemon:
        answer = daemon.send_json("POST", CLUSTERS, {"protected": True})
        pin, tokens = answer.json["pin"], answer.json["tokens"]
        PINS.add(pin)
        path, gone = f"{CLUSTERS}/{pin}", f"{CLUSTERS}/{daemon.new_pin()}"
        assert snapshot("export", "--state-dir", old, "--output", export).stdout == b""
        admin, read = (
            {"Authorization": f"Bearer {tokens[scope]}"} for scope in ("admin", "read")
        )
        word = tokens["read"].partition(".")[0]
        revoked = daemon.request("DELETE", f"{path}/tokens/{word}", None, admin)
        assert revoked.status == 204
        assert daemon.request("DELETE", gone).status == 204
        assert daemon.request("GET", path, None, read).status == 401
    done = snapshot("import", "--state-dir", new, export)
    assert b"revoked" in done.stderr
    assert b"deleted" in done.stderr
    assert b"valid again" in done.stderr
    # It is as it says.
    with Daemon(new) as restored:
        assert restored.request("GET", path, None, read).status == 200
        assert restored.request("GET", gone).status == 200


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("exported") / "state") as running:
        for number in range(3):
            keys = f"{CLUSTERS}/{running.new_pin()}/keys"
            key = {"key": f"{MARKER}{number}", "value": MARKER}
            assert running.send_json("POST", keys, key).status == 201
        yield running


@pytest.fixture(scope="module")
def export(daemon: Daemon) -> bytes:
    done = snapshot("export", "--state-dir", daemon.state_dir)
    assert done.returncode == 0
    return done.stdout


def test_after_a_crash(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with Daemon(state) as daemon:
        daemon.new_pin()
        daemon.kill()
        said = snapshot("verify", "--state-dir", state).stdout
        assert b" 1 clusters" in said
        export = snapshot("export", "--state-dir", state).stdout
        assert snapshot("verify", "-", given=export).stdout == said
        # The daemon notices nothing of it.
        daemon.start()
        daemon.new_pin()
        assert daemon.terminate() == 0
    assert b" 2 clusters" in snapshot("verify", "--state-dir", state).stdout
    with daemon:
        assert daemon.terminate() == 0


def test_standard_output_and_input(
    daemon: Daemon, export: bytes, tmp_path: Path
) -> None:
    (tmp_path / "export").write_bytes(export)
    said = snapshot("verify", tmp_path / "export").stdout
    assert said == snapshot("verify", "-", given=export).stdout
    assert said == snapshot("verify", "--state-dir", daemon.state_dir).stdout
    assert re.fullmatch(
        rb"OK: 3 clusters, 0 ended, last version \d+, saved \d{4}-[-0-9T:]+Z\n", said
    )
    (tmp_path / "empty").mkdir(mode=0o700)
    done = snapshot("import", "--state-dir", tmp_path / "empty", "-", given=export)
    assert done.returncode == 0
    assert b"imported 3 clusters" in done.stdout
    new = snapshot("verify", "--state-dir", tmp_path / "empty").stdout
    assert new.removeprefix(b"OK: ") == done.stdout.removeprefix(b"imported ")


def test_a_terminal_is_asked_for(daemon: Daemon) -> None:
    words = [*COMMAND, "export", "--state-dir", str(daemon.state_dir)]
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            words,
            stdout=theirs,
            stderr=subprocess.PIPE,
            check=False,
            env=environment(),
        )
        assert done.returncode == 2
        assert b"terminal" in done.stderr
        asked = [*words, "--output", "-"]
        subprocess.run(
            asked, stdout=theirs, stderr=subprocess.PIPE, check=True, env=environment()
        )
        # Of the first there is nothing.
        assert os.read(ours, 20) == b'{"cvmpair":"snapshot'
    finally:
        os.close(ours)
        os.close(theirs)


def test_exports_that_are_refused(export: bytes, tmp_path: Path) -> None:
    state = tmp_path / "state"
    lines = export.splitlines(keepends=True)
    flipped = export.replace(MARKER.encode(), b"seseme", 1)
    later = export.replace(b'"export":1', b'"export":2', 1)
    for wrong, hint in (
        (b"".join(lines[:-1]), "line 5: it is missing, the file was cut off"),
        (export[: len(export) // 2], "it is not whole"),
        (flipped, "line 2: it does not fit its checksum"),
        (later, "line 1: it does not fit its checksum"),
        (b"", "line 1: it is missing"),
        (b"PK\x03\x04", "is no export of cvmpair"),
    ):
        for words in (("import", "--state-dir", state, "-"), ("verify", "-")):
            assert hint in refusal(*words, given=wrong)
        assert not state.exists()


def test_never_over_a_state(daemon: Daemon, export: bytes, tmp_path: Path) -> None:
    words = ("import", "-", "--state-dir")
    assert "not empty" in refusal(*words, daemon.state_dir, given=export)
    daemon.new_pin()
    (tmp_path / "note").write_text(MARKER)
    assert "not empty (note)" in refusal(*words, tmp_path, given=export)
    assert [path.name for path in tmp_path.iterdir()] == ["note"]
    assert "is no directory; name another" in refusal(
        *words, tmp_path / "note", given=export
    )
    open_to_others = tmp_path / "open"
    open_to_others.mkdir(mode=0o755)
    assert "chmod 0700" in refusal(*words, open_to_others, given=export)
    assert list(open_to_others.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_state_that_root_makes_for_another(export: bytes, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    os.chown(state, 65534, 65534)
    assert snapshot("import", "--state-dir", state, "-", given=export).returncode == 0
    owners = {path.name: path.stat().st_uid for path in state.iterdir()}
    assert owners == {"lock": 65534, "cvmpair.db": 65534}


def test_directories_that_are_refused(daemon: Daemon, tmp_path: Path) -> None:
    for action in "export", "verify":
        words = (action, "--state-dir")
        assert "there is no state" in refusal(*words, tmp_path / "missing")
        empty = tmp_path / "empty"
        empty.mkdir(mode=0o700, exist_ok=True)
        assert "there is no state" in refusal(*words, empty)
        assert list(empty.iterdir()) == []
        exposed = tmp_path / "exposed"
        exposed.mkdir(mode=0o750, exist_ok=True)
        assert "chmod 0700" in refusal(*words, exposed)
    place = tmp_path / "no" / "export"
    done = snapshot("export", "--state-dir", daemon.state_dir, "--output", place)
    assert (done.returncode, done.stdout) == (2, b"")
    assert not place.parent.exists()


def test_a_damaged_state_is_not_exported(daemon: Daemon, tmp_path: Path) -> None:
    state, place = tmp_path / "state", tmp_path / "export"
    export = snapshot("export", "--state-dir", daemon.state_dir).stdout
    snapshot("import", "--state-dir", state, "-", given=export)
    file = state / "cvmpair.db"
    file.write_bytes(file.read_bytes().replace(b'"sesame"', b'"seseme"', 1))
    place.write_text("the one of yesterday")
    for words in (
        ("verify", "--state-dir", state),
        ("export", "--state-dir", state),
        ("export", "--state-dir", state, "--output", place),
    ):
        assert "checksum" in refusal(*words)
    assert place.read_text() == "the one of yesterday"
    assert {path.name for path in tmp_path.iterdir()} == {"state", "export"}


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("made",),
        ("export",),
        ("import", "file"),
        ("verify",),
        ("verify", "--state-dir", "a", "b"),
        ("verify", "a\0b"),
        ("export", "--state-dir", "a\0b"),
    ],
)
def test_wrong_words(words: tuple[str, ...], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["snapshot", *words])
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert (said.out, len(said.err.splitlines())) == ("", 1)
    assert MARKER not in said.err
