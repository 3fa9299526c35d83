"""
What is shipped beside the package fits the package.
"""

import re
import shlex
import subprocess
from configparser import RawConfigParser
from pathlib import Path
from string import Template

import pytest

from cvmpair.options import Options

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
UNIT = ROOT / "etc/systemd/cvmpair.service"
SOCKET = UNIT.with_name("cvmpair.socket")


def read_unit(path: Path) -> RawConfigParser:
    unit = RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read_string(path.read_text())
    return unit


def test_unit_starts_the_daemon_with_options_that_it_knows() -> None:
    service = read_unit(UNIT)["Service"]
    variables = dict(word.split("=") for word in service["Environment"].split())
    variables["STATE_DIRECTORY"] = "/var/lib/cvmpair"
    words = shlex.split(Template(service["ExecStart"]).substitute(variables))
    options = Options()
    options.parseOptions(words[words.index("cvmpair") + 1 :])
    assert options.settings.listen == ("tcp:8080",)
    assert options.settings.state_dir == Path("/var/lib/cvmpair")


def test_the_readme_has_the_unit_find_its_key() -> None:
    (words,) = re.findall(r"`CVMPAIR_LISTEN=(ssl:[^`]+)`", README)
    files = re.findall(r"Key=([^:]+)", words)
    for file, mode in zip(files, ("0640 -g cvmpair-tls", "0644"), strict=True):
        place, _, name = file.rpartition("/")
        assert f"install -m {mode} {name} {place}/" in README
        assert place.startswith("/")
    for file in UNIT, UNIT.parent.parent / "examples/cvmpair.default":
        assert "CVMPAIR_LISTEN=" in file.read_text()


def test_a_reload_of_the_unit_renews_certificates() -> None:
    assert read_unit(UNIT)["Service"]["ExecReload"] == "kill -HUP $MAINPID"


def security(unit: Path) -> subprocess.CompletedProcess[str]:
    words = ["security", "--offline=true", "--no-pager", "--threshold=12", unit]
    return subprocess.run(
        ["systemd-analyze", *words], capture_output=True, text=True, check=False
    )


def test_unit_is_exposed_no_more_than_1_2() -> None:
    done = security(UNIT)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


def test_the_check_of_the_exposure_bites(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub("(?m)^SystemCallFilter=.*", "", UNIT.read_text()))
    assert security(unit).returncode != 0


def test_the_socket_is_the_one_that_the_drop_in_takes() -> None:
    name = read_unit(SOCKET)["Socket"]["FileDescriptorName"]
    drop_in = read_unit(UNIT.with_name("cvmpair.service.d") / "socket.conf")
    assert drop_in["Unit"]["Requires"] == drop_in["Unit"]["After"] == SOCKET.name
    listen = drop_in["Service"]["Environment"].partition("=")[2]
    assert listen == f"systemd:domain=INET6:name={name}"


def test_the_drop_in_is_where_the_socket_and_the_readme_say() -> None:
    # The package has all of etc as examples.
    examples = "/usr/share/doc/cvmpair/examples/"
    for text in SOCKET.read_text(), README:
        (place,) = re.findall(rf"\bcp {examples}(\S+)", text)
        assert place == "systemd/cvmpair.service.d/socket.conf"
        assert (ROOT / "etc" / place).is_file()


def table_rows() -> dict[str, str]:
    return dict(
        re.findall(r"^\| `--([a-z-]+)[^`]*` \| `([^`]+)` \|", README, re.MULTILINE)
    )


def test_readme_has_every_option_with_its_default() -> None:
    defaults = {name: default for name, _, default, _ in Options.optParameters}
    assert table_rows() == {
        "listen": "tcp:8080:interface=127.0.0.1",
        "admin-listen": "nowhere",
        "trusted-proxy": "none",
        **defaults,
    }


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"\]\(((?:etc|LICENSE)[^)]*)\)", README)))
)
def test_readme_refers_to_what_exists(path: str) -> None:
    assert (ROOT / path).is_file()
