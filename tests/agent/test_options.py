"""
The command line of the agent.
"""

import re
from pathlib import Path

import pytest

from cvmpair_agent.options import EXIT_CODES, Options, parse

COMMANDS = ["pair", "ready", "apply", "source", "status"]


@pytest.mark.parametrize("command", COMMANDS)
def test_defaults(command: str) -> None:
    assert parse([command]) == Options(
        command=command,
        root=Path("/"),
        # The original agents waited so long and so often.
        tries=50,
        delay=25.0,
        jitter=9.0,
        timeout=1800.0,
    )


def test_all_that_pair_takes() -> None:
    options = parse(
        [
            *["pair", "--root=/usr", "--context-file=/context"],
            *["--source-order=disk, ec2,", "--metadata-server=http://127.0.0.1"],
            *["--injected-file=/a", "--injected-file=/b", "--patch=/c", "--patch=/d*"],
            *["--address=10.0.0.1", "--ca-file=ca.pem"],
            *["--tries=2", "--delay=90", "--jitter=0.5s", "--timeout=1.5h"],
        ]
    )
    assert options == Options(
        command="pair",
        root=Path("/usr"),
        context_file=Path("/context"),
        source_order=["disk", "ec2"],
        metadata_server="http://127.0.0.1",
        injected_files=["/a", "/b"],
        patch=["/c", "/d*"],
        address="10.0.0.1",
        ca_file="ca.pem",
        tries=2,
        delay=90.0,
        jitter=0.5,
        timeout=5400.0,
    )


@pytest.mark.parametrize(
    ("words", "scope"),
    [
        ([], None),
        (["--ip-from-metadata"], "local"),
        (["--ip-from-metadata=public"], "public"),
    ],
)
def test_ip_from_metadata(words: list[str], scope: str | None) -> None:
    assert parse(["pair", *words]).ip_from_metadata == scope


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("15m", 900), ("2h", 7200), ("0.25", 0.25)]
)
def test_time(text: str, seconds: float) -> None:
    assert parse(["ready", f"--timeout={text}"]).timeout == seconds


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nonsense"],
        ["pair", "nonsense"],
        ["pair", "--nonsense"],
        # No abbreviations: a later release may have another option of that beginning.
        ["pair", "--addr=10.0.0.1"],
        ["source", "--exp"],
        ["pai"],
        ["pair", "--tries=0"],
        ["pair", "--tries=-1"],
        ["pair", "--tries=1000001"],
        ["pair", "--tries=²"],
        ["pair", "--tries=two"],
        ["pair", f"--tries={'1' * 5000}"],
        ["pair", "--delay=-1"],
        ["pair", "--delay=1w"],
        ["pair", "--delay=1e3"],
        ["pair", "--jitter=nan"],
        ["pair", "--timeout=inf"],
        ["pair", "--timeout="],
        ["pair", f"--timeout={'1' * 5000}"],
        ["pair", "--service-fingerprint=nonsense"],
        ["pair", "--source-order=,"],
        ["pair", "--address"],
        ["source", "--export=nonsense"],
        ["pair", "non\nsense"],
        ["pair", "--tries", "non\nsense"],
        ["pair", "--patch=relative"],
        ["pair", "--injected-file=relative"],
        ["pair", "--ip-from-metadata=nonsense"],
        ["pair", "--address=10.0.0.1", "--interface=eth0"],
        ["pair", "--address=10.0.0.1", "--ip-from-metadata"],
        ["ready", "--address=10.0.0.1"],
        ["apply", "--tries=2"],
        ["pair", "--export"],
    ],
    ids=lambda words: " ".join(words)[:40],
)
def test_what_cannot_be(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        parse(words)
    assert refused.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.fullmatch(
        r"cvmpair-agent: [^\n]+; see cvmpair-agent( [a-z]+)? --help\n", shown.err
    )
    # What was given may be a PIN, but that this word is not one can be seen.
    said = shown.err.replace("--nonsense", "").replace("choice nonsense", "")
    assert "nonsense" not in said


@pytest.mark.parametrize("words", [[], *([command] for command in COMMANDS)])
def test_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as shown:
        parse([*words, "--help"])
    assert shown.value.code == 0
    assert capsys.readouterr().out.endswith(EXIT_CODES)


def test_the_help_says_what_is_below_the_root(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parse(["pair", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    text = shown.partition("--root DIR ")[2].partition("(default: /)")[0]
    for option in "--patch", "--injected-file", "--context-file", "not that of --ca-":
        assert option in text
