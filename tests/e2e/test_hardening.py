"""
The daemon does without what its unit takes away.
"""

import re
import ssl
import subprocess
import sys
from pathlib import Path

from tests.e2e.daemon import CLUSTERS, LAUNCHERS, ROOT, Daemon, free_port
from tests.e2e.test_listening import certificate, check_serves, ssl_endpoint
from tests.e2e.tracing import strace

__all__ = ["certificate"]

UNIT = (ROOT / "etc/systemd/cvmpair.service").read_text()

# What MemoryDenyWriteExecute= forbids, by prctl(2) instead of a filter.
NO_WRITE_EXECUTE = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(65, 1, 0, 0, 0):
    print("old kernel", file=sys.stderr)
os.execv(sys.argv[1], sys.argv[1:])
"""


def memory_rule() -> list[str]:
    """
    Return the beginning of a command line under which the unit's rule holds.
    """
    if not re.search(r"(?m)^MemoryDenyWriteExecute=yes", UNIT):
        return []
    return [sys.executable, "-c", NO_WRITE_EXECUTE, sys.executable]


def members(group: str) -> set[str]:
    """
    Return the system calls of one group of systemd, those of its groups included.
    """
    done = subprocess.run(
        ["systemd-analyze", "syscall-filter", group],
        capture_output=True,
        text=True,
        check=True,
    )
    words = re.findall(r"(?m)^ +(@?\w[\w-]*|@[\w-]+)$", done.stdout)
    inner = {call for word in words if word[0] == "@" for call in members(word)}
    return inner | {word for word in words if word[0] != "@"}


def allowed() -> set[str]:
    """
    Return the system calls that the unit allows.
    """
    calls: set[str] = set()
    for minus, groups in re.findall(r"(?m)^SystemCallFilter=(~?)(.*)", UNIT):
        named = {call for group in groups.split() for call in members(group)}
        calls = calls - named if minus else calls | named
    return calls


def test_it_needs_no_more_than_it_is_allowed(tmp_path: Path, certificate: Path) -> None:
    trace = tmp_path / "trace"
    plain, secure = free_port(), free_port()
    daemon = Daemon(
        tmp_path / "state",
        port=plain,
        listen=[
            f"tcp:{plain}:interface=127.0.0.1",
            ssl_endpoint(certificate, secure),
        ],
        launcher=[*memory_rule(), *LAUNCHERS["twistd"]],
        prefix=strace(trace, all_calls=True),
        # Not to be told apart from the service manager's: nobody listens.
        environment={"NOTIFY_SOCKET": f"{tmp_path}/notify"},
    )
    with daemon:
        check_serves(daemon)
        assert daemon.request("GET", "/").status == 200
        daemon.port = secure
        daemon.tls = ssl.create_default_context(cafile=certificate / "localhost.pem")
        pin = check_serves(daemon)
        assert daemon.request("DELETE", f"{CLUSTERS}/{pin}").status == 204
        assert daemon.terminate() == 0
    made = set(re.findall(r"(?m)^\d+ +(\w+)\(", trace.read_text()))
    assert {"execve", "fdatasync", "bind", "sendto"} <= made
    # SQLite gives its files away as root only, which the unit's user is not.
    assert made - allowed() - {"fchown"} == set()
    # The check bites.
    assert made - (allowed() - members("@network-io"))
