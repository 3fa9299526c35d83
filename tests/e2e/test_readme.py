"""
Commands of the README, typed as they stand there.
"""

import json
import re
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.daemon import CLUSTERS, ROOT, Daemon, environment, free_port
from tests.e2e.test_stop import await_
from tests.logs import PINS

README = (ROOT / "README.md").read_text()


def quick_start() -> list[str]:
    """
    Return the shell blocks of that section.
    """
    section = README.split("## Quick start")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def test_quick_start(tmp_path: Path) -> None:
    blocks = quick_start()
    assert len(blocks) == 3
    with Daemon(tmp_path / "state") as daemon:
        script = "\n".join(["set -e", *blocks]).replace(
            "http://127.0.0.1:8080", daemon.url
        )
        result = subprocess.run(
            ["sh"], input=script, capture_output=True, text=True, check=False
        )
    assert result.returncode == 0, result.stderr
    assert re.match(r"the PIN is [a-z0-9]{12}\n", result.stdout)
    assert result.stdout.endswith("master_ip: 10.10.25.5\n")


@pytest.mark.parametrize("ended", [False, True])
def test_a_worker_with_a_pin_that_is_none(tmp_path: Path, *, ended: bool) -> None:
    worker = quick_start()[2]
    with Daemon(tmp_path / "state") as daemon:
        pin = daemon.new_pin() if ended else "a" * 12
        if ended:
            assert daemon.request("DELETE", f"{CLUSTERS}/{pin}").status == 204
        result = subprocess.run(
            ["sh"],
            input=f"URL={daemon.url}{CLUSTERS}\nPIN={pin}\n{worker}",
            capture_output=True,
            text=True,
            check=False,
            # Without an end it would go on for ever.
            timeout=30,
        )
    assert "there is no such PIN" in result.stderr
    assert result.stdout == "\n"


def test_a_private_authority(tmp_path: Path) -> None:
    port = free_port()
    section = README.split("### TLS")[1].split("\n### ")[0]
    (listen,) = re.findall(r"    twistd .* --listen (ssl:\S+)\n", section)
    blocks = [
        block.replace("pairing.example.org:8443", f"localhost:{port}")
        .replace("pairing.example.org", "localhost")
        .replace("cvmpair new", f"{sys.executable} -m cvmpair.cli new")
        for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    ]

    def type_in(block: str, **variables: str) -> str:
        done = subprocess.run(
            ["sh", "-e"],
            input=block,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**environment(), **variables},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    make, ask, renew, tell = blocks
    type_in(make)
    daemon = Daemon(
        tmp_path / "state",
        port=port,
        listen=[
            listen.replace("8443", str(port)).replace("=", f"={tmp_path}/")
            + ":interface=127.0.0.1"
        ],
        tls=ssl.create_default_context(cafile=tmp_path / "ca.pem"),
    )
    with daemon:
        body, pin = type_in(ask).split("}")
        PINS.update((json.loads(body + "}")["pin"], pin.strip()))
        before = ssl.get_server_certificate(("localhost", port))
        fingerprint = type_in(tell).split()[0]
        assert daemon.process is not None
        type_in(renew, DAEMON=str(daemon.process.pid))
        await_(lambda: ssl.get_server_certificate(("localhost", port)) != before)
        # The key has stayed.
        assert type_in(tell).split()[0] == fingerprint
        said = re.findall(r"fingerprint=sha256:(\w+)", daemon.log.read_text())
        assert said == [fingerprint] * 2
