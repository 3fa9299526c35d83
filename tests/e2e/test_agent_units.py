"""
The units of the agent among those of cloud-init, as systemd itself sees them.

That one unit comes after another is tried by asking for the opposite as well: systemd
finds a cycle just then.
"""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from attrs import frozen

from cvmpair_agent.options import TIMEOUT, Options, parse
from tests.e2e.cloud_init import package
from tests.e2e.cloud_init.units import CERNVM, DEBIAN, RED_HAT
from tests.e2e.daemon import ROOT

ETC = ROOT / "etc"
CONTEXT, READY = "cvmpair-context.service", "cvmpair-ready.service"
UNITS = {name: (ETC / "systemd" / name).read_text() for name in (CONTEXT, READY)}
AGENT = "/opt/cvmpair/bin/cvmpair-agent"


@frozen(kw_only=True)
class Image:
    """
    An image with the agent, and with what acts on the context.

    :ivar units: the latter's.
    :ivar network: its network stage.
    """

    units: dict[str, str]
    network: str = ""


IMAGES = {
    "packaged": Image(
        units=package.units(),
        network=next(
            name
            for name in ("cloud-init-network.service", "cloud-init.service")
            if name in package.units()
        ),
    ),
    "debian-24.3": Image(units=DEBIAN, network="cloud-init-network.service"),
    "red-hat-24.3": Image(units=RED_HAT, network="cloud-init-network.service"),
    "cernvm": Image(units=CERNVM),
}


def complaints(directory: Path, image: Image, drop_ins: dict[str, str]) -> str:
    """
    Return what systemd says of a boot of that image, which is nothing if all is well.
    """
    # What they call need not be on this machine.
    units = {
        name: re.sub(r"(?m)^(Exec\w+=).*", r"\1/bin/true", text)
        for name, text in (image.units | UNITS).items()
    }
    for name, text in units.items():
        (directory / name).write_text(text)
        # As they are enabled: cloud-init's generator enables its target only.
        is_stage = name.startswith("cloud-") and name != "cloud-init.target"
        target = "cloud-init.target" if is_stage else "multi-user.target"
        wanted = directory / f"{target}.wants"
        wanted.mkdir(exist_ok=True)
        (wanted / name).symlink_to(directory / name)
    for name, text in drop_ins.items():
        (directory / f"{name}.d").mkdir()
        (directory / f"{name}.d/more.conf").write_text(f"[Unit]\n{text}\n")
    path = f"{directory}:/lib/systemd/system"
    run = subprocess.run(
        ["systemd-analyze", "--man=no", "verify", "multi-user.target", CONTEXT, READY],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", "SYSTEMD_UNIT_PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    said = run.stdout + run.stderr
    assert run.returncode == 0 or "ordering cycle" in said, said
    return "\n".join(
        line
        for line in said.splitlines()
        # Other packages of this machine may have flaws of their own.
        if re.search(r"cvmpair|cloud-|amiconfig|ordering cycle", line)
    )


def orders() -> list[tuple[str, str, str, str]]:
    """
    Return the images, with a unit of ours, and what it comes before or after in each.
    """
    found = []
    for name, image in IMAGES.items():
        earlier = ["network-online.target", "local-fs.target"]
        later = [CONTEXT, "multi-user.target"]
        acting = "amiconfig.service"
        if image.network:
            earlier += ["cloud-init-local.service", image.network]
            earlier += ["cloud-config.target"]
            later += ["cloud-final.service", "cloud-init.target"]
            acting = "cloud-config.service"
        found += [(name, CONTEXT, "After", unit) for unit in earlier]
        found += [(name, CONTEXT, "Before", acting)]
        found += [(name, READY, "After", unit) for unit in [*later, acting]]
    return found


@pytest.mark.parametrize("name", IMAGES)
def test_image_boots_without_a_complaint(tmp_path: Path, name: str) -> None:
    assert complaints(tmp_path, IMAGES[name], {}) == ""


@pytest.mark.parametrize(("name", "unit", "order", "other"), orders())
def test_order_holds(
    tmp_path: Path, name: str, unit: str, order: str, other: str
) -> None:
    opposite = "Before" if order == "After" else "After"
    said = complaints(tmp_path, IMAGES[name], {unit: f"{opposite}={other}"})
    assert "Found ordering cycle" in said
    assert unit in said


@pytest.mark.parametrize("order", ["Before", "After"])
def test_no_cycle_where_there_is_no_order(tmp_path: Path, order: str) -> None:
    unit = "systemd-user-sessions.service"
    asked = {CONTEXT: f"{order}={unit}"}
    assert complaints(tmp_path, IMAGES["packaged"], asked) == ""


def values(name: str, key: str) -> list[str]:
    """
    Return all words that a unit has for a key.
    """
    found = re.findall(rf"^{key}=(.*)$", UNITS[name], flags=re.MULTILINE)
    return [word for value in found for word in value.split()]


@pytest.mark.parametrize("name", UNITS)
def test_nothing_of_cloud_init_is_started(name: str) -> None:
    keys = set(re.findall(r"^(\w+)=.*\bcloud-", UNITS[name], flags=re.MULTILINE))
    assert keys == {"After", "Before"} - ({"Before"} if name == READY else set())


def test_ready_does_not_follow_a_failed_pair() -> None:
    assert values(READY, "Requires") == [CONTEXT]
    assert CONTEXT in values(READY, "After")


@pytest.mark.parametrize("name", UNITS)
def test_agent_gives_up_before_systemd_ends_it(name: str) -> None:
    (limit,) = values(name, "TimeoutStartSec")
    minutes = int(limit.removesuffix("min"))
    assert minutes * 60 >= TIMEOUT + 300


def options_of(name: str, more: str) -> Options:
    """
    Return the options that the agent takes from its unit and a line of options.
    """
    agent, *words = shlex.split(UNITS[name].split("ExecStart=")[1].splitlines()[0])
    assert agent == AGENT
    (variable,) = (word[1:] for word in words if word.startswith("$"))
    assert values(name, "Environment") == [f"{variable}="]
    key, _, value = more.partition("=")
    assert not more or key == variable
    (said,) = shlex.split(value) or [""]
    return parse([word for word in words if word[0] != "$"] + shlex.split(said))


@pytest.mark.parametrize(("name", "command"), [(CONTEXT, "pair"), (READY, "ready")])
def test_units_call_the_agent_by_options_that_it_knows(name: str, command: str) -> None:
    options = options_of(name, "")
    assert options.command == command
    assert (options.root, options.timeout) == (Path("/"), TIMEOUT)


def examples() -> list[str]:
    text = (ETC / "examples/cvmpair-agent.default").read_text()
    return re.findall(r"^#(\w+=.*)$", text, flags=re.MULTILINE)


@pytest.mark.parametrize("line", examples())
def test_examples_of_options_are_known(line: str) -> None:
    name = CONTEXT if line.startswith("PAIR") else READY
    assert options_of(name, line) != options_of(name, "")


def test_units_read_the_options_where_the_example_says() -> None:
    text = (ETC / "examples/cvmpair-agent.default").read_text()
    for name in UNITS:
        (path,) = values(name, "EnvironmentFile")
        assert path.startswith("-/")
        assert path[1:] in text


def test_example_of_an_image_installs_what_there_is() -> None:
    text = (ETC / "examples/agent.cloud-config").read_text()
    assert f"venv, {Path(AGENT).parents[1]}]" in text
    copied = re.findall(r"source/(etc/\S+)", text)
    assert [Path(path).name for path in copied] == list(UNITS)
    assert all((ROOT / path).is_file() for path in copied)
    assert f"[systemctl, enable, {', '.join(UNITS)}]" in text
