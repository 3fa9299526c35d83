"""
The boots after the first, and what the other commands of the agent say.
"""

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.daemon import CLUSTERS, Daemon, environment
from tests.e2e.virtual_machine import (
    AGENT,
    AT_ONCE,
    CLOUD_CONFIG,
    PLACEHOLDER,
    RECORD,
    TEMPLATES,
    TWICE,
    VirtualMachine,
    user_data,
    virtual_machine,
)
from tests.logs import MARKER, new_output

ADDRESS = "10.10.25.5"
PIN = "enico1qq0oey"
ERASE = "\r\x1b[K"

Boot = Callable[[str], VirtualMachine]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path / "state") as daemon:
        yield daemon


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Boot]:
    """
    Makes machines, each with some user data.
    """
    with ExitStack() as machines:
        roots = (tmp_path / f"root-{number}" for number in range(100))
        yield lambda data: machines.enter_context(virtual_machine(next(roots), data))


def publish(daemon: Daemon, pin: str) -> None:
    """
    Be the master.
    """
    for key, value in ("master_ip", ADDRESS), ("master_ready", "yes"):
        path = f"{CLUSTERS}/{pin}/keys"
        answer = daemon.send_json("POST", path, {"key": key, "value": value})
        assert answer.status == 201


@pytest.fixture
def paired(daemon: Daemon, boot: Boot) -> VirtualMachine:
    """
    A worker that has paired.
    """
    pin = daemon.new_pin()
    publish(daemon, pin)
    worker = boot(user_data("worker", daemon.url, pin))
    assert worker.run("pair", *AT_ONCE).code == 0
    worker.check_patched(ADDRESS)
    return worker


def test_later_boots_need_no_service(daemon: Daemon, paired: VirtualMachine) -> None:
    daemon.kill()
    for command in ("pair", *TWICE), ("apply",):
        paired.boot()
        assert paired.run(*command).code == 0
        paired.check_patched(ADDRESS)
    # Nor a metadata server.
    paired.boot()
    paired.metadata.user_data = b""
    assert paired.run("pair", *TWICE).code == 0
    paired.check_patched(ADDRESS)
    # Once more changes nothing.
    before = {path: paired.place(path).stat().st_mtime_ns for path in TEMPLATES}
    ended = paired.run("apply")
    assert (ended.code, "no file has a placeholder" in ended.reason) == (0, True)
    after = {path: paired.place(path).stat().st_mtime_ns for path in TEMPLATES}
    assert before == after


def test_patch_names_the_files(paired: VirtualMachine) -> None:
    paired.boot()
    paired.write("/srv/a.conf", PLACEHOLDER)
    paired.write("/srv/b.conf", PLACEHOLDER)
    assert paired.run("apply", "--patch=/srv/*.conf").code == 0
    assert paired.text("/srv/a.conf") == paired.text("/srv/b.conf") == ADDRESS
    assert paired.text(CLOUD_CONFIG) == TEMPLATES[CLOUD_CONFIG]


def test_a_copy_pairs_for_itself(
    daemon: Daemon, paired: VirtualMachine, tmp_path: Path
) -> None:
    pin = daemon.new_pin()
    data = user_data("worker", daemon.url, pin)
    shutil.copytree(paired.root, tmp_path / "copy")
    # Making it gives it files and a machine-id of its own, as its first boot does.
    with virtual_machine(tmp_path / "copy", data) as copy:
        applied = copy.run("apply")
        assert applied.code == 1
        assert "This machine has not paired" in applied.reason
        assert copy.run("status").code == 1
        waited = copy.run("pair", *TWICE)
        assert waited.code == 6
        assert "is a copy of one that had paired" in waited.said
        assert copy.text(CLOUD_CONFIG) == TEMPLATES[CLOUD_CONFIG]
        publish(daemon, pin)
        assert copy.run("pair", *AT_ONCE).code == 0
        copy.check_patched(ADDRESS)
        assert pin in copy.text(RECORD)


def test_a_new_pin_pairs_anew(daemon: Daemon, paired: VirtualMachine) -> None:
    pin = daemon.new_pin()
    data = user_data("worker", daemon.url, pin)
    paired.metadata.user_data = data.encode()
    paired.boot()
    # cloud-init has left what it found, so that is known without the network.
    paired.write("/var/lib/cloud/instance/user-data.txt", data)
    applied = paired.run("apply")
    assert (applied.code, "The context has changed" in applied.reason) == (1, True)
    assert paired.run("pair", *TWICE).code == 6
    assert paired.text(CLOUD_CONFIG) == TEMPLATES[CLOUD_CONFIG]
    # The pairing with the other cluster counts no longer, whatever comes of this one.
    applied = paired.run("apply")
    assert (applied.code, "has not paired" in applied.reason) == (1, True)


def test_ready(daemon: Daemon, boot: Boot, paired: VirtualMachine) -> None:
    pin = daemon.new_pin()
    master = boot(user_data("master", daemon.url, pin))
    key = f"{CLUSTERS}/{pin}/keys/master_ready"

    before = master.run("ready", *TWICE)
    assert (before.code, "has not paired" in before.reason) == (0, True)
    worker = paired.run("ready", *TWICE)
    assert (worker.code, "is a worker" in worker.reason) == (0, True)
    assert master.run("pair", *AT_ONCE).code == 0
    assert daemon.request("GET", key).status == 404
    assert "ready announced: no\n" in master.run("status").printed

    assert master.run("ready", *TWICE).code == 0
    assert daemon.request("GET", key).text == "master_ready: yes"
    assert "ready announced: yes\n" in master.run("status").printed
    daemon.kill()
    again = master.run("ready", *TWICE)
    assert (again.code, again.reason) == (0, "announced before")


def test_ready_without_the_service(daemon: Daemon, boot: Boot) -> None:
    master = boot(user_data("master", daemon.url, daemon.new_pin()))
    assert master.run("pair", *AT_ONCE).code == 0
    daemon.kill()
    assert master.run("ready", *TWICE).code == 8
    daemon.start()
    # It was not kept that it had been announced.
    assert master.run("ready", *TWICE).reason == "announced that the master is ready"


def test_status(daemon: Daemon, paired: VirtualMachine) -> None:
    status = paired.run("status")
    assert (status.code, status.said) == (0, "")
    assert status.printed.splitlines() == [
        "role: worker",
        f"service: {daemon.url}",
        f"master: {ADDRESS}",
    ]


NASTY = {
    "A": "it's",
    "B": '"$(touch touched)" `touch touched`',
    "C": "; touch touched #",
    "D": "\\n \\' * ~ $HOME ${HOME}",
    "E": "# no comment = no comment",
    "F": "--help",
    "G": "ä\udcff\udcfe",
}
"""Values by their keys; one is no UTF-8."""


@pytest.mark.parametrize("encoding", ["utf-8:strict", "latin-1"])
def test_export(tmp_path: Path, encoding: str) -> None:
    lines = [f"{key}={value}" for key, value in NASTY.items()]
    data = user_data("worker", "https://pairing.example", PIN, lines)
    with virtual_machine(
        tmp_path / "root", data, {"PYTHONIOENCODING": encoding}
    ) as machine:
        assert machine.run("source", "--export").code == 0
    there = tmp_path / "there"
    there.mkdir()
    keys = ["CVM_CLUSTER_PIN", *NASTY]
    script = ". ../root.exported; printf '%s\\n' " + " ".join(
        f'"$_UCONTEXT_{key}"' for key in keys
    )
    done = subprocess.run(
        ["sh", "-euc", script],
        check=True,
        capture_output=True,
        cwd=there,
        env=environment(),
    )
    values = [value.encode(errors="surrogateescape") for value in NASTY.values()]
    assert done.stdout.splitlines() == [PIN.encode(), *values]
    assert list(there.iterdir()) == []


def test_source_says_where(boot: Boot) -> None:
    machine = boot(user_data("worker", "pairing.example", PIN))
    machine.write("/var/lib/cloud/instance/user-data.txt", f"#!/bin/sh\n# {MARKER}")
    shown = machine.run("source")
    assert shown.code == 0
    first, last = shown.printed.splitlines()
    assert first.split("  ")[0] == "cloud-init"
    assert "no ucernvm section" in first
    assert last.split() == [
        *["ec2", "has", "a", "PIN"],
        f"({machine.metadata.url}/latest/user-data)",
    ]
    # The service has no scheme.
    assert "is taken as http://" in shown.reason


def test_nobody_reads_what_is_printed(boot: Boot) -> None:
    machine = boot(user_data("worker", "https://pairing.example", PIN))
    machine.write("/context", machine.metadata.user_data.decode())
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*AGENT, "source", f"--root={machine.root}", "--context-file=/context"],
        check=False,
        stdout=writing,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(
    "words",
    [["apply"], ["status"], ["source", "--export", "--context-file=/context"]],
    ids=lambda words: words[0],
)
def test_what_needs_no_network_loads_no_twisted(
    paired: VirtualMachine, words: list[str]
) -> None:
    paired.write("/context", paired.metadata.user_data.decode())
    name, *others = words
    script = (
        "import sys\n"
        "from cvmpair_agent.main import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit as end:\n"
        "    loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "    heavy = loaded & {'twisted', 'treq', 'OpenSSL', 'pycdlib', 'pyfatfs'}\n"
        "    sys.exit(' '.join(['loaded', *sorted(heavy)]) if heavy else end.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, name, f"--root={paired.root}", *others],
        check=False,
        capture_output=True,
        env=environment(),
    )
    assert (done.returncode, b"loaded" in done.stderr) == (0, False)


def on_terminal(machine: VirtualMachine, *words: str) -> str:
    """
    Run ``pair`` with a terminal as its standard error, and return what is shown.
    """
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [
            *[*AGENT, "pair", f"--root={machine.root}", *words],
            f"--metadata-server={machine.metadata.url}",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=its,
        env=environment(),
    )
    os.close(its)
    shown = b""
    try:
        # Linux fails with EIO when nobody has the other side open any more.
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:
        pass
    finally:
        os.close(ours)
        process.kill()
        process.wait()
    new_output("terminal").write_bytes(shown)
    return shown.decode()


def test_a_terminal_and_a_pipe(daemon: Daemon, boot: Boot) -> None:
    machine = boot(user_data("worker", daemon.url, daemon.new_pin()))
    words = ("--tries=3", "--delay=0.7", "--jitter=0")
    shown = on_terminal(machine, *words)
    found, *line, last = shown.replace("\r\n", "\n").split(ERASE)
    assert found.startswith("cvmpair-agent: found the context: ec2, ")
    # It is written over itself, each second and whenever something happens.
    assert "\n" not in "".join(line)
    assert len(line) >= 2
    for text in line:
        assert text.startswith("cvmpair-agent: waiting for master_ready for ")
        assert len(text) < 80
    assert last.startswith("cvmpair-agent: Gave up waiting for master_ready ")

    said = machine.run("pair", *words).said
    assert "\x1b" not in said
    assert len([text for text in said.splitlines() if "waiting for" in text]) == 2
