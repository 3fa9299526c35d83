"""
The manual pages say what the programs themselves say.
"""

import re
import subprocess
import sys

import pytest

from tests.e2e.daemon import TWISTD, environment
from tools import manual

PROGRAMS = {
    "cvmpair.1": [sys.executable, "-m", "cvmpair.cli"],
    "cvmpair-agent.1": [sys.executable, "-m", "cvmpair_agent"],
    "twistd-cvmpair.8": [str(TWISTD), "-n", "cvmpair"],
}


def helped(program: list[str], *words: str) -> str:
    return subprocess.run(
        [*program, *words, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**environment(), "COLUMNS": "200"},
    ).stdout


def options(text: str) -> set[str]:
    """
    Return the options that a help explains.
    """
    lines = re.findall(r"^ +(-\S.*?)(?:  .*)?$", text, re.MULTILINE)
    words = {word for line in lines for word in re.findall(r"--[a-z-]+", line)}
    return words - {"--help"}


def commands(text: str) -> list[str]:
    """
    Return the commands that a help lists.
    """
    return re.findall(r"^    ([a-z]+)(?:  .*)?$", text, re.MULTILINE)


def read(page: str) -> str:
    """
    Return a page as its reader sees it, without the breaks of lines.
    """
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tascii", "-P-cbou", "-rLL=1000n", "-rHY=0"],
        input=page,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return " ".join(done.stdout.split())


def sections(page: str) -> dict[str, str]:
    """
    Return the part of a page for each command, and that before them.
    """
    first, *rest = page.replace("\\-", "-").split("\n.SS ")
    parts = (part.split("\n", 1) for part in rest)
    return {
        "": first,
        **{name.strip('"').split(" ", 1)[1]: text for name, text in parts},
    }


def missing(page: str, program: list[str], *words: str) -> list[str]:
    """
    Return the options and commands that a program has and its page does not.
    """
    text = helped(program, *words)
    command = " ".join(words)
    part = sections(page).get(command)
    if part is None:
        return [command]
    lacks = [
        f"{command} {option}".lstrip()
        for option in sorted(options(text))
        if not re.search(rf"(?m)^\.B .*{option}(?![a-z-])", part)
    ]
    for word in commands(text):
        lacks += missing(page, program, *words, word)
    return lacks


@pytest.mark.parametrize("name", PROGRAMS)
def test_page_has_every_option_of_every_command(name: str) -> None:
    page = manual.pages()[name]
    assert read(page)
    assert missing(page, PROGRAMS[name]) == []


@pytest.mark.parametrize(
    ("name", "fault", "lacks"),
    [
        ("twistd-cvmpair.8", (".B \\-\\-max\\-wait ", ".B "), ["--max-wait"]),
        ("cvmpair-agent.1", (".B \\-\\-export", ".B x"), ["source --export"]),
        ("cvmpair.1", ('.SS "cvmpair new', '.SS "cvmpair old'), ["new"]),
    ],
)
def test_what_is_missing_is_noticed(
    name: str, fault: tuple[str, str], lacks: list[str]
) -> None:
    page = manual.pages()[name]
    assert fault[0] in page
    assert missing(page.replace(*fault), PROGRAMS[name]) == lacks


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("cvmpair.1", [0, 1, 2, 5, 8, 130]),
        ("cvmpair-agent.1", [0, 1, 2, 3, 4, 5, 6, 8, 130]),
        ("twistd-cvmpair.8", [0, 1, 2]),
    ],
)
def test_page_has_the_exit_codes(name: str, codes: list[int]) -> None:
    _, _, told = read(manual.pages()[name]).partition("exit")
    assert [code for code in codes if not re.search(rf"\b{code}\b", told)] == []


def test_no_character_is_taken_for_a_command_of_roff() -> None:
    text = ".so /etc/passwd\n'br \\fBbold\\fP --"
    page = f".TH A 1\n{manual.escaped(text)}\n"
    assert " ".join(text.split()) in read(page)


def test_pages_of_equal_sources_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    monkeypatch.setenv("COLUMNS", "40")
    narrow = manual.pages()
    monkeypatch.setenv("COLUMNS", "300")
    assert narrow == manual.pages()
    assert '"1970-01-02"' in narrow["cvmpair.1"]
