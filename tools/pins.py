"""
The run-time set in ``requirements/run.txt``: each package with its version and the
hashes of its files, made from ``setup.py`` and ``constraints.txt``.

``python -m tools.pins`` checks without the network that the three are in step;
``--write`` makes the file anew, with the hashes that the registry has.
"""

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from attrs import frozen
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parent.parent
SETUP: Final = ROOT / "setup.py"
CONSTRAINTS: Final = ROOT / "constraints.txt"
RUN: Final = ROOT / "requirements/run.txt"
UV: Final = Path(sys.executable).with_name("uv")

LEFT_OUT: Final[Mapping[str, str]] = {
    "fs": "pyfatfs: only for PyFatFS, and does not work with setuptools since 82",
    "packaging": "incremental: only to raise the version of a project",
    "pycparser": "cffi: only to compile C declarations",
    "tubes": "klein: only for its own classes of requests",
}
"""What a package of the set asks for, and no feature of ours loads."""

HEADER: Final = """\
# The run-time set, made by "make pins"; to be installed with
#     pip install --no-deps --require-hashes -r requirements/run.txt
# because some packages ask for what is never loaded: LEFT_OUT in tools/pins.py.
"""

Requires = Callable[[str], Iterable[str]]
"""From the name of a package to its requirements, as lines."""


@frozen(kw_only=True)
class Pin:
    """
    One package of the set.

    :ivar hashes: of all its files, each as ``sha256:...``.
    """

    version: str
    hashes: frozenset[str]


def declared(setup: str) -> list[str]:
    """
    Return ``install_requires`` of the text of a ``setup.py``.
    """
    for node in ast.walk(ast.parse(setup)):
        if isinstance(node, ast.keyword) and node.arg == "install_requires":
            return list(ast.literal_eval(node.value))
    raise ValueError("setup.py has no install_requires")


def versions(constraints: str) -> dict[str, str]:
    """
    Return the version of each package of a text of constraints.
    """
    lines = re.findall(r"^([\w.-]+)==(\S+)$", constraints, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def pins(requirements: str) -> dict[str, Pin]:
    """
    Return what a file of requirements with hashes pins.
    """
    blocks = re.findall(
        r"^([\w.-]+)==(\S+)((?: \\\n +--hash=\S+)*)$", requirements, re.MULTILINE
    )
    return {
        canonicalize_name(name): Pin(
            version=version, hashes=frozenset(re.findall(r"--hash=(\S+)", hashes))
        )
        for name, version, hashes in blocks
    }


def closure(requirements: Iterable[str], requires: Requires) -> set[str]:
    """
    Return the names of all that is needed, without what is left out.
    """
    seen: set[tuple[str, str]] = set()
    ahead = [(line, "") for line in requirements]
    while ahead:
        line, extra = ahead.pop()
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        marker = requirement.marker
        if name in LEFT_OUT or (marker and not marker.evaluate({"extra": extra})):
            continue
        for each in {"", *requirement.extras}:
            if (name, each) not in seen:
                seen.add((name, each))
                ahead += [(needed, each) for needed in requires(name)]
    return {name for name, _ in seen}


def objections(
    setup: str, constraints: str, requirements: str, requires: Requires
) -> Iterator[str]:
    """
    Yield what is not in step, a line each.
    """
    asked, pinned = versions(constraints), pins(requirements)
    needed = closure(declared(setup), requires)
    for name in sorted(needed - pinned.keys()):
        yield f"{name} is needed, and not in it"
    for name in sorted(pinned.keys() - needed):
        yield f"{name} is in it, and nothing needs it"
    for name, pin in sorted(pinned.items()):
        if pin.version != asked.get(name):
            yield f"{name} is {pin.version}, and {asked.get(name)} in constraints.txt"
        if not pin.hashes:
            yield f"{name} has no hash"
    for requirement in map(Requirement, declared(setup)):
        version = asked.get(canonicalize_name(requirement.name))
        if version is None or version not in requirement.specifier:
            yield f"constraints.txt has {version}, and setup.py wants {requirement}"


def installed(name: str) -> list[str]:
    """
    Return the requirements of a package that is installed here.
    """
    return metadata.requires(name) or []


def write() -> None:
    """
    Make the file anew.
    """
    asked = versions(CONSTRAINTS.read_text())
    names = sorted(closure(declared(SETUP.read_text()), installed))
    done = subprocess.run(
        [
            UV,
            "pip",
            "compile",
            *"""
            --quiet --no-deps --generate-hashes --universal --python-version=3.11
            --no-header --no-annotate -
        """.split(),
        ],
        input="".join(f"{name}=={asked[name]}\n" for name in names),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    RUN.write_text(HEADER + done.stdout)


def main() -> None:
    """
    Check the file or make it anew.
    """
    parser = argparse.ArgumentParser(prog="pins", description=__doc__)
    parser.add_argument("--write", action="store_true", help="make the file anew")
    if parser.parse_args().write:
        write()
    setup, constraints, run = (path.read_text() for path in (SETUP, CONSTRAINTS, RUN))
    wrong = list(objections(setup, constraints, run, installed))
    for line in wrong:
        print(f"requirements/run.txt: {line}; say make pins", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
