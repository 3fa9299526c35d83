"""
The command ``cvmpair``: files, exits, and lines on standard error.
"""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from cvmpair import __version__, cli
from cvmpair.contexts.formats import FORMATS
from cvmpair_agent.context.cluster import ClusterContext, Role, cluster_of
from cvmpair_agent.context.reading import read_section
from cvmpair_agent.disks.volumes import Volumes
from cvmpair_agent.files.root import Root
from cvmpair_agent.userdata.nocloud import NoCloud
from cvmpair_agent.userdata.opennebula import OpenNebula
from cvmpair_agent.userdata.source import Source, UserData
from tests.contexts.reading import PIN
from tests.e2e.daemon import Daemon, environment, free_port
from tests.logs import PINS

BASE = b"[amiconfig]\nplugins=sesame\n# ###MASTER_IP_PLACEHOLDER###\n"
COMMAND = [sys.executable, "-m", "cvmpair.cli"]


@pytest.fixture
def pin_file(tmp_path: Path) -> Path:
    path = tmp_path / "pin"
    path.write_text(f"{PIN}\n")
    return path


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base"
    path.write_bytes(BASE)
    return path


@pytest.fixture(autouse=True)
def _no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CVMPAIR_SERVICE_URL", raising=False)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("daemon")) as running:
        yield running


def status(*words: object) -> int:
    """
    Run the command in this process.
    """
    with pytest.raises(SystemExit) as ended:
        cli.main([str(word) for word in words])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def run(*words: object, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """
    Run the command as a process.
    """
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        input=given,
        capture_output=True,
        env=environment(),
        check=False,
    )


def read(data: bytes) -> ClusterContext:
    section = read_section(data)
    assert section is not None
    cluster = cluster_of(section)
    assert cluster is not None
    return cluster


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_context_goes_to_standard_output(pin_file: Path, base: Path) -> None:
    done = run("context", "--pin-file", pin_file, "--role=master", "--base", base)
    assert done.returncode == 0
    assert (
        done.stdout
        == BASE
        + (
            f"[ucernvm-begin]\ncvm_cluster_pin={PIN}\ncvm_cluster_master=yes\n"
            "[ucernvm-end]\n"
        ).encode()
    )
    size = len(done.stdout)
    assert f"cvmpair: master: {size} bytes, " in done.stderr.decode()
    assert PIN not in done.stderr.decode()


def test_pin_and_base_from_standard_input(pin_file: Path) -> None:
    by_pin = run("context", "--pin-file=-", "--role=worker", given=f"{PIN}\n".encode())
    assert read(by_pin.stdout).pin == PIN
    by_base = run(
        "context", "--pin-file", pin_file, "--role=worker", "--base=-", given=BASE
    )
    assert by_base.stdout.startswith(BASE)
    both = run("context", "--pin-file=-", "--role=worker", "--base=-")
    assert (both.returncode, both.stdout) == (2, b"")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_to_files_for_both(
    name: str, pin_file: Path, base: Path, tmp_path: Path
) -> None:
    place = tmp_path / "context"
    words = ("--pin-file", pin_file, "--base", base, "--service-url=https://h/")
    assert (
        status("context", *words, "--role=both", "--format", name, "--output", place)
        == 0
    )
    for role in Role:
        written = tmp_path / f"context-{role.value}"
        files = sorted(written.iterdir()) if written.is_dir() else [written]
        assert all(mode(file) == 0o600 for file in files)
        if FORMATS[name].is_directory:
            assert mode(written) == 0o700
            assert [file.name for file in files] == ["meta-data", "user-data"]
        if name in {"occi", "cimi", "opennebula", "context-sh"}:
            continue  # test_formats.py reads these.
        cluster = read(files[-1].read_bytes())
        assert (cluster.pin, cluster.role) == (PIN, role)
        assert cluster.service_url == "https://h"
    names = {"base", "pin", "context-master", "context-worker"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_a_file_is_replaced_and_made_private(pin_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("old")
    target.chmod(0o644)
    link = tmp_path / "link"
    link.symlink_to(target)
    words = ("--pin-file", pin_file, "--role=master", "--output", link)
    assert status("context", *words) == 0
    assert link.is_symlink()
    assert read(target.read_bytes()).pin == PIN
    assert mode(target) == 0o600


def test_what_is_no_file_is_written_to(pin_file: Path) -> None:
    words = ("--pin-file", pin_file, "--role=master", "--output=/dev/null")
    assert status("context", *words) == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)  # noqa: PTH116


def test_the_command_line_of_a_target(
    pin_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "a b"
    words = ("--pin-file", pin_file, "--role=master", "--output", place)
    assert status("context", *words, "--format=openstack") == 0
    assert f"openstack server create --user-data '{place}' " in capfd.readouterr().err


@pytest.mark.skipif(not shutil.which("genisoimage"), reason="needs genisoimage")
@pytest.mark.parametrize("name", ["nocloud", "context-sh"])
def test_the_printed_command_makes_a_disk(
    name: str, pin_file: Path, tmp_path: Path
) -> None:
    place = tmp_path / "out"
    words = ("--pin-file", pin_file, "--role=master", "--output", place)
    done = run("context", *words, "--format", name)
    command = done.stderr.decode().splitlines()[-1]
    subprocess.run(
        ["/bin/sh", "-c", command], check=True, cwd=tmp_path, capture_output=True
    )
    (image,) = tmp_path.glob("*.iso")
    (tmp_path / "root/dev").mkdir(parents=True)
    image.rename(tmp_path / "root/dev/sr0")
    root = Root(tmp_path / "root")
    volumes = Volumes(root)
    source: Source = OpenNebula(volumes=volumes)
    if name == "nocloud":
        source = NoCloud(root=root, volumes=volumes)
        assert volumes.find("cidata")[0].has_label("cidata")
        assert volumes.find()[0].read("meta-data") is not None
    clusters = [read(found.data) for found in look(source) if found.data]
    assert {(cluster.pin, cluster.role) for cluster in clusters} == {(PIN, Role.MASTER)}


def test_a_nocloud_directory_is_a_seed(pin_file: Path, tmp_path: Path) -> None:
    seed = tmp_path / "var/lib/cloud/seed/nocloud"
    seed.parent.mkdir(parents=True)
    words = ("--pin-file", pin_file, "--role=worker", "--format=nocloud")
    # The second time it is there already.
    for _ in range(2):
        assert status("context", *words, "--output", seed) == 0
    root = Root(tmp_path)
    (found,) = look(NoCloud(root=root, volumes=Volumes(root)))
    assert read(found.data).pin == PIN


def look(source: Source) -> Sequence[UserData]:
    """
    Return what a source holds that waits for nothing.
    """
    with pytest.raises(StopIteration) as done:
        source.look().send(None)
    found: Sequence[UserData] = done.value.value
    return found


def test_an_old_file_is_never_half_written(pin_file: Path, tmp_path: Path) -> None:
    place, same = tmp_path / "out", tmp_path / "same"
    place.write_text("old")
    same.hardlink_to(place)
    words = ("--pin-file", pin_file, "--role=worker", "--output", place)
    assert status("context", *words) == 0
    # The new one took its name and left it as it was.
    assert same.read_text() == "old"
    assert read(place.read_bytes()).pin == PIN


REFUSED: dict[str, list[str]] = {
    "no command": [],
    "no PIN": ["context", "--role=master"],
    "no role": ["context", f"--pin={PIN}"],
    "the PIN as a role": ["context", "--pin", PIN, "--role", PIN],
    "the PIN as a format": ["context", "--pin", PIN, "--role=master", "--format", PIN],
    "the PIN as a word": ["context", "--pin", PIN, "--role=master", PIN],
    "the PIN as a command": [PIN],
    "the PIN of an unknown option": ["context", "--role=master", "--pn", PIN],
    "an abbreviation": ["context", "--role=master", f"--pin-f={PIN}"],
    "a PIN for --new": ["context", "--role=master", f"--new={PIN}"],
    "two PINs": ["context", "--role=master", "--pin", PIN, "--new"],
    "a PIN that is too long": ["context", "--role=master", "--pin", f"{PIN}{PIN}"],
    "no service for new": ["new"],
    "no service for --new": ["context", "--new", "--role=master"],
    "a service without a scheme": ["new", "--service-url=host:8080"],
    "a service at no port": ["new", "--service-url=http://host:99999"],
    "a service with a password": ["new", "--service-url=http://me:sesame@host"],
    "the PIN as a service": ["new", "--service-url", PIN],
    "a service without a host": ["new", "--service-url=http://:80"],
    "a base without an end": [
        *["context", "--pin", PIN, "--role=master", "--base=/dev/zero"]
    ],
    "a CA file without --new": [
        *["context", "--pin", PIN, "--role=master", "--ca-file=x"]
    ],
    "both to standard output": ["context", "--pin", PIN, "--role=both"],
    "a directory to standard output": [
        *["context", "--pin", PIN, "--role=master", "--format=nocloud"]
    ],
    "a base that is missing": [
        *["context", "--pin", PIN, "--role=master", "--base=/nonexistent/x"]
    ],
    "a base that is a directory": [
        *["context", "--pin", PIN, "--role=master", "--base=/"]
    ],
    "a directory as the file": [
        *["context", "--pin", PIN, "--role=master", "--output=/"]
    ],
    "a file in no directory": [
        *["context", "--pin", PIN, "--role=master", "--output=/nonexistent/x"]
    ],
    "gzip for azure": [
        *["context", "--pin", PIN, "--role=master", "--format=azure", "--gzip"]
    ],
}


@pytest.mark.parametrize("case", REFUSED)
def test_one_line_and_no_pin(case: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert status(*REFUSED[case]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"cvmpair: [^\n]+\n", said.err)
    assert PIN not in said.err
    assert "sesame" not in said.err


NAMED = {
    "new --service-url=host:8080": "The service URL 'host:8080' must begin with",
    "new --service-url=http://host:99999": "URL 'http://host:99999' has no legal host",
    "context --new --role=boss": "--role: invalid choice boss (choose from",
    "made": "invalid choice made (choose from",
    "snapshot verify": "cvmpair: --state-dir or FILE is required",
    "snapshot verify -": "the file on standard input is no export of cvmpair",
    "context --role=master": "--pin or --pin-file or --cluster-file or --new is",
    "context --role=master --cluster-file=/dev/null": "/dev/null is no cluster file",
    "context --role=master --pin-file=-": "standard input is no PIN file",
    f"context --role=master --pin={PIN} --output=/dev/full": "/dev/full: No space left",
}
"""What is wrong, and how it is named."""


@pytest.mark.parametrize("words", NAMED)
def test_what_is_wrong_is_named(words: str) -> None:
    done = run(*words.split(), given=b"sesame")
    assert done.returncode in {1, 2}
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("cvmpair: ")
    assert NAMED[words] in line
    assert "sesame" not in line


@pytest.mark.parametrize(
    "text",
    [
        f'{{"pin":"{PIN}","tokens":{{"read":"sesame"}}}}',
        f"pin: {PIN}\nread_token: sesame\n",
        "sesame",
        "",
    ],
)
def test_what_is_no_pin_file(
    text: str, pin_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pin_file.write_text(text)
    assert status("context", "--pin-file", pin_file, "--role=master") == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"cvmpair: [^\n]+\n", said.err)
    assert f"{pin_file} is no PIN file" in said.err
    assert "--cluster-file" in said.err
    assert PIN not in said.err
    assert "sesame" not in said.err


def test_a_full_disk_is_one_line(pin_file: Path) -> None:
    # Buffered, as it is for everybody else.
    variables = {**environment(), "PYTHONUNBUFFERED": ""}
    for words in (
        ["context", "--pin-file", str(pin_file), "--role=master"],
        ["doctor", "--json"],
    ):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [*COMMAND, *words],
                stdout=full,
                stderr=subprocess.PIPE,
                env=variables,
                cwd=pin_file.parent,
                check=False,
            )
        assert done.returncode == 1
        assert done.stderr == b"cvmpair: standard output: No space left on device\n"


def test_a_refused_base_changes_nothing(pin_file: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.write_bytes(b"#!/bin/sh\necho sesame\n")
    old = tmp_path / "out"
    old.write_text("old")
    words = ("--role=master", "--base", base, "--output", old)
    done = run("context", "--pin-file", pin_file, *words)
    assert done.returncode == 2
    assert b"--format mime" in done.stderr
    # Nothing listens there: it must not even be asked for a PIN.
    url = f"--service-url=http://127.0.0.1:{free_port()}"
    asked = run("context", "--new", url, *words)
    assert (asked.returncode, asked.stderr) == (2, done.stderr)
    assert old.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"base", "out", "pin"}
    assert b"sesame" not in done.stderr


def test_help_explains_each_option(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("new", "context"):
        assert status(command, "--help") == 0
        text = capsys.readouterr().out
        options = re.findall(
            r"^  (?:-h, )?(--[a-z-]+)[^\n]*(?:\n {10,}| {2,})\S", text, re.MULTILINE
        )
        assert set(options) == set(
            re.findall(r"--[a-z-]+", text.partition("options:")[0])
        ) | {"--help"}
    for name, target in FORMATS.items():
        assert re.search(rf"^  {name} +{re.escape(target.about)}$", text, re.MULTILINE)
    assert status("--version") == 0
    assert capsys.readouterr().out == f"cvmpair {__version__}\n"


def test_no_twisted_without_new(pin_file: Path) -> None:
    code = (
        "import sys; from cvmpair import cli\n"
        "try: cli.main()\n"
        "finally: print('twisted' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            "context",
            "--pin-file",
            pin_file,
            "--role=master",
        ],
        capture_output=True,
        env=environment(),
        check=True,
    )
    assert done.stderr.endswith(b"False\n")


def test_new(daemon: Daemon) -> None:
    done = run("new", "--service-url", daemon.url)
    pin = done.stdout.decode().strip()
    PINS.add(pin)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == f"{pin}\n".encode()
    assert daemon.request("GET", f"/api/v1/clusters/{pin}").status == 200


def test_new_as_json_of_the_service_in_the_environment(
    daemon: Daemon,
) -> None:
    done = subprocess.run(
        [*COMMAND, "new", "--json"],
        capture_output=True,
        env={**environment(), "CVMPAIR_SERVICE_URL": f"{daemon.url}/"},
        check=True,
    )
    said = json.loads(done.stdout)
    PINS.add(said["pin"])
    assert said.pop("service_url") == daemon.url
    assert set(said) == {"pin", "creation_time", "expiration_time"}
    answer = daemon.request("GET", f"/api/v1/clusters/{said['pin']}").json
    assert {key: answer[key] for key in said} == said


def test_context_with_a_new_pin(daemon: Daemon, base: Path, tmp_path: Path) -> None:
    place = tmp_path / "out"
    words = ("--service-url", daemon.url, "--base", base, "--output", place)
    done = run("context", "--new", "--role=both", "--format=ec2", *words)
    assert done.returncode == 0
    master = read((tmp_path / "out-master").read_bytes())
    worker = read((tmp_path / "out-worker").read_bytes())
    PINS.add(master.pin)
    assert master.pin == worker.pin != "0" * 12
    assert (master.role, worker.role) == (Role.MASTER, Role.WORKER)
    assert master.service_url == daemon.url
    assert daemon.request("GET", f"/api/v1/clusters/{master.pin}").status == 200
    assert master.pin.encode() not in done.stdout + done.stderr


def test_a_service_that_is_not_there() -> None:
    done = run("new", f"--service-url=http://127.0.0.1:{free_port()}")
    assert (done.returncode, done.stdout) == (8, b"")
    assert re.fullmatch(rb"cvmpair: Cannot reach http://[^\n]+\n", done.stderr)


def test_a_service_that_is_another(daemon: Daemon) -> None:
    done = run("new", f"--service-url={daemon.url}/elsewhere")
    assert (done.returncode, done.stdout) == (1, b"")
    assert re.fullmatch(rb"cvmpair: [^\n]+\n", done.stderr)


@pytest.mark.parametrize(
    ("answer", "code"), [(401, 5), (403, 5), (500, 1), (503, 1), (301, 1), (200, 1)]
)
def test_answers_that_are_no_cluster(answer: int, code: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(answer)
            self.send_header("Location", "http://elsewhere.example/")
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"sesame")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        done = run("new", f"--service-url=http://127.0.0.1:{server.server_port}")
        thread.join()
    assert (done.returncode, done.stdout) == (code, b"")
    assert re.fullmatch(rb"cvmpair: [^\n]+\n", done.stderr)
    assert b"sesame" not in done.stderr


def test_a_ca_file_that_is_none() -> None:
    done = run("new", "--service-url=https://127.0.0.1:1", "--ca-file=/dev/null")
    assert (done.returncode, done.stdout) == (2, b"")
    assert re.fullmatch(rb"cvmpair: --ca-file '/dev/null' [^\n]+\n", done.stderr)


ENDED_HALF_WAY = """
import signal
from cvmpair import cli
from cvmpair.commands import snapshot

def export_half(directory, file):
    file.write(b"sesame")
    file.flush()
    for _ in range(2):
        signal.raise_signal({number})
    print("went on")
    raise SystemExit(0)

snapshot.export_state = export_half
cli.main()
"""


ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def not_ignored() -> Iterator[None]:
    """
    Have processes end by signals, of which ``nohup`` and a shell's ``&`` ignore some.
    """
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.usefixtures("not_ignored")
def test_what_is_ended_leaves_no_temporary_file(
    tmp_path: Path, number: signal.Signals
) -> None:
    words = ["snapshot", "export", "--state-dir=state", f"--output={tmp_path / 'a'}"]
    done = subprocess.run(
        [sys.executable, "-c", ENDED_HALF_WAY.format(number=int(number)), *words],
        capture_output=True,
        env=environment(),
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, b"", b"")
    assert list(tmp_path.iterdir()) == []


def test_what_is_to_be_ignored_stays_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            "nohup",
            sys.executable,
            "-c",
            ENDED_HALF_WAY.format(number=int(signal.SIGHUP)),
            *("snapshot", "export", "--state-dir=state", f"--output={tmp_path / 'a'}"),
        ],
        capture_output=True,
        env=environment(),
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"went on\n")


@pytest.mark.usefixtures("not_ignored")
def test_ended_while_the_service_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        asking = subprocess.Popen(
            [
                *COMMAND,
                "new",
                f"--service-url=http://127.0.0.1:{server.getsockname()[1]}",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        connection, _ = server.accept()
        with connection:
            assert connection.recv(5) == b"POST "
            asking.send_signal(signal.SIGHUP)
            assert asking.communicate() == (b"", b"")
    assert asking.returncode == 128 + signal.SIGHUP
