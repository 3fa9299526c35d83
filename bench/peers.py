"""
What the daemon is compared with, each on a port of its own with its data below the
directory of the run.
"""

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from bench.servers import Expected, Server, WrongAnswer, free_port

PROGRAMS = {"etcd": "etcd", "nginx": "nginx", "redis": "redis-server"}
"""
The peers that come from Debian's packages.
"""

ETCD_HEALTHY = Expected("/health", part='"true"')

_NGINX = """\
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    default_type text/plain;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port} backlog=511;
        location / {{ return 200 "{text}"; }}
    }}
}}
"""


def present(wanted: Collection[str]) -> tuple[list[str], list[str]]:
    """
    Return which of the wanted peers are installed, and which are not.
    """
    found = [name for name in wanted if _path(name)]
    return found, [name for name in wanted if name not in found]


def versions(names: Collection[str]) -> dict[str, str]:
    """
    Return their versions.
    """
    found = {}
    for name in names:
        option = "-v" if name == "nginx" else "--version"
        run = subprocess.run(
            [_path(name), option], capture_output=True, text=True, check=False
        )
        number = re.search(r"\d+\.\d+\.\d+", run.stdout + run.stderr)
        found[name] = number[0] if number else "?"
    return found


def bare(text: str, directory: Path) -> Server:
    """
    Return a ``twisted.web`` that has nothing to do but to say ``text``.
    """
    port = free_port()
    words = [sys.executable, "-m", "bench.bare", str(port), text]
    return Server(words, port, directory / "bare.log")


def nginx(text: str, directory: Path) -> Server:
    """
    Return an nginx of one worker that says ``text``.
    """
    port = free_port()
    home = directory / "nginx"
    home.mkdir(exist_ok=True)
    configuration = home / "nginx.conf"
    configuration.write_text(_NGINX.format(port=port, text=text))
    words = [_path("nginx"), "-p", str(home), "-c", str(configuration), "-e", "stderr"]
    return Server(words, port, home / "log")


def etcd(directory: Path) -> Server:
    """
    Return an etcd of one member, with its API v2 and the gateway of v3.
    """
    port = free_port()
    clients = f"http://127.0.0.1:{port}"
    members = f"http://127.0.0.1:{free_port()}"
    words = [
        *[_path("etcd"), "--data-dir", str(directory / "etcd"), "--enable-v2=true"],
        *["--listen-client-urls", clients, "--advertise-client-urls", clients],
        *["--listen-peer-urls", members, "--initial-advertise-peer-urls", members],
        *["--initial-cluster", f"default={members}", "--logger", "zap"],
        *["--log-level", "error"],
    ]
    return Server(words, port, directory / "etcd.log")


def etcd_put(path: str, value: str) -> Expected:
    """
    Return the request that sets a key by the API v2.
    """
    return Expected(
        f"/v2/keys/{path}", None, "PUT", 201, f'"value":"{value}"', f"value={value}"
    )


def etcd_get(path: str, value: str) -> Expected:
    """
    Return the request that reads a key by the API v2.
    """
    return Expected(f"/v2/keys/{path}", part=f'"value":"{value}"')


class Redis(Server):
    """
    A Redis that writes its file only when it is told to.
    """

    def call(self, words: str) -> str:
        """
        Have it do something whose answer is a line, and return that.
        """
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(words.encode() + b"\r\n")
            return connection.makefile().readline().strip()

    def wait_for(self, expected: Expected) -> None:
        """
        Wait until it has loaded its file.

        :param expected: its path is a command, its body the first line of the answer.
        """
        self.wait_until(lambda: self.call(expected.path) == expected.body)

    def fill(self, file: Path) -> None:
        """
        Send it the commands of a file, and have it save.
        """
        with file.open("rb") as commands:
            pipe = subprocess.run(
                ["redis-cli", "-p", str(self.port), "--pipe"],
                stdin=commands,
                capture_output=True,
                text=True,
                check=False,
            )
        if "errors: 0" not in pipe.stdout or self.call("SAVE") != "+OK":
            raise WrongAnswer(f"redis: {pipe.stdout} {pipe.stderr}")


def redis(directory: Path) -> Redis:
    """
    Return a Redis that loads its file from ``directory``, if there is one.
    """
    port = free_port()
    words = [
        *[_path("redis"), "--port", str(port), "--bind", "127.0.0.1"],
        *["--dir", str(directory), "--save", "", "--appendonly", "no"],
    ]
    return Redis(words, port, directory / "redis.log")


def _path(name: str) -> str:
    # Debian has some of them where only root looks.
    return shutil.which(PROGRAMS[name], path="/usr/bin:/usr/sbin:/usr/local/bin") or ""
