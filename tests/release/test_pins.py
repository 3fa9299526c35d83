"""
The run-time set is in step with what it is made from.
"""

import re
from collections.abc import Iterable

import pytest

from tools import pins

SETUP = 'setup(install_requires=["site[tls]>=2", "zope-interface>=1"])'
CONSTRAINTS = "# A comment.\nsite==2.1\nzope.interface==8.7\nOpenSSL==3\npytest==9\n"
RUN = """\
openssl==3 \\
    --hash=sha256:0a \\
    --hash=sha256:0b
site==2.1 \\
    --hash=sha256:0c
zope-interface==8.7 \\
    --hash=sha256:0d
"""
REQUIRES = {
    "site": ['openssl; extra == "tls"', 'pytest; extra == "test"', "fs"],
    "openssl": ['old; python_version < "3.0"', "Zope.Interface"],
}


def requires(name: str) -> Iterable[str]:
    return REQUIRES.get(name, ())


def test_the_three_files_are_in_step() -> None:
    texts = (path.read_text() for path in (pins.SETUP, pins.CONSTRAINTS, pins.RUN))
    setup, constraints, run = texts
    assert list(pins.objections(setup, constraints, run, pins.installed)) == []
    assert len(pins.pins(run)) == len(re.findall("(?m)^[^# ]", run))
    assert not pins.pins(run).keys() & pins.LEFT_OUT.keys()


def test_readme_says_what_each_package_is_for() -> None:
    readme = (pins.ROOT / "README.md").read_text()
    section = readme.split("### What is installed with it")[1].split("\n## ")[0]
    rows = re.findall(r"(?m)^\| ([a-z, -]+) \| [^|]+ \|$", section)
    named = ", ".join(rows).removeprefix("packages, ").split(", ")
    assert sorted(named) == sorted(pins.pins(pins.RUN.read_text()))


def test_what_is_in_step_is_not_objected_to() -> None:
    assert list(pins.objections(SETUP, CONSTRAINTS, RUN, requires)) == []


@pytest.mark.parametrize(
    ("place", "wrong", "objection"),
    [
        (0, ("site[tls]", "site"), "openssl is in it, and nothing needs it"),
        (0, ("zope-interface>=1", "zope-interface>=9"), "has 8.7, and setup.py wants"),
        (0, ('"]', '", "treq"]'), "treq is needed, and not in it"),
        (1, ("site==2.1", "site==2.2"), "site is 2.1, and 2.2 in constraints.txt"),
        (1, ("OpenSSL==3\n", ""), "openssl is 3, and None in constraints.txt"),
        (2, (" \\\n    --hash=sha256:0d", ""), "zope-interface has no hash"),
        (2, ("site==2.1", "six==2.1"), "site is needed, and not in it"),
    ],
)
def test_what_is_out_of_step_is_noticed(
    place: int, wrong: tuple[str, str], objection: str
) -> None:
    texts = [SETUP, CONSTRAINTS, RUN]
    assert wrong[0] in texts[place]
    texts[place] = texts[place].replace(*wrong)
    assert objection in "\n".join(pins.objections(*texts, requires))
