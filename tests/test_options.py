"""
The command line: what becomes of good words, and of bad ones.
"""

from ipaddress import ip_network
from pathlib import Path

import pytest

from cvmpair import __version__
from cvmpair.core.model import Limits
from cvmpair.options import Options
from cvmpair.settings import DEFAULT_ENDPOINT, Settings
from cvmpair.web.limits import ClientLimits, RequestLimits

DURATIONS = ["", "sesame", "-1s", "1w", "1 s", "1e3", "nan", "0", "\u0661s", "1s\n"]
NUMBERS = ["", "sesame", "-1", "1.5", "0", "1_000", " 7", "\u0661", "9" * 16]

BAD = [
    *[
        (name, word)
        for name in ("pin-lifetime", "snapshot-interval")
        for word in DURATIONS
    ],
    *[
        (name, word)
        for name in ("header-timeout", "body-timeout")
        for word in DURATIONS
    ],
    *[("max-wait", word) for word in DURATIONS if word != "0"],
    *[
        (name, word)
        for name in ("max-clusters", "max-keys", "max-waiters")
        for word in NUMBERS
    ],
    *[
        (name, word)
        for name in (
            "max-guesses",
            "max-tombstones",
            "max-creations",
            "max-connections",
            "max-waiters-per-address",
        )
        for word in NUMBERS
        if word != "0"
    ],
    *[
        ("trusted-proxy", word)
        for word in ("", "sesame", "10.0.0.1/8", "10.0.0.0/33", "[::1]", "::1%eth0/64")
    ],
    *[("max-body-size", word) for word in (*NUMBERS, "255", "16777217")],
    ("max-clusters", "100000001"),
    ("max-keys", "10001"),
    ("max-wait", "25h"),
    ("max-waiters", "10000001"),
    ("pin-lifetime", "3651d"),
    ("pin-lifetime", "0.9"),
    ("snapshot-interval", "0.05"),
    ("header-timeout", "61m"),
    ("body-timeout", "61m"),
    ("log-format", "JSON"),
    ("forwarded-header", "X-Forwarded-For"),
    ("forwarded-header", ""),
    ("durability", "sesame"),
    ("durability", "Synced"),
    ("durability", ""),
    ("state-dir", ""),
    ("state-dir", "sesame\0"),
]


def settings(*words: str) -> Settings:
    options = Options()
    options.parseOptions(words)
    return options.settings


def complaint(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """
    Return the only line that a wrong command line is answered with.
    """
    with pytest.raises(SystemExit) as ended:
        settings(*words)
    assert ended.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert line.startswith("cvmpair: ")
    return line


def test_the_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings() == Settings(
        listen=("tcp:8080:interface=127.0.0.1",),
        state_dir=tmp_path / "state",
        flush_interval=None,
        pin_lifetime=86400.0,
        max_wait=300.0,
        max_waiters=20_000,
        limits=Limits(clusters=1_000_000, keys_per_cluster=64),
        request_limits=RequestLimits(
            body_size=65536, header_timeout=10.0, body_timeout=10.0
        ),
        client_limits=ClientLimits(
            guesses=20,
            creations=60,
            connections=0,
            waiters=0,
            trusted_proxies=(),
            forwarded_header="x-forwarded-for",
        ),
    )


def test_the_defaults_of_the_command_line_are_those_of_the_values() -> None:
    assert settings("--state-dir", "/sesame") == Settings(state_dir=Path("/sesame"))


def test_every_option() -> None:
    words = [
        "--listen=tcp:1",
        "--listen=unix:sesame",
        "--admin-listen=tcp:2",
        "--admin-listen=unix:admin",
        "--state-dir=/sesame",
        "--durability=periodic",
        "--snapshot-interval=2.5s",
        "--pin-lifetime=2d",
        "--max-clusters=7",
        "--max-tombstones=14",
        "--max-keys=8",
        "--max-wait=2m",
        "--max-waiters=9",
        "--max-body-size=1000",
        "--header-timeout=0.5",
        "--body-timeout=1m",
        "--max-guesses=10",
        "--max-creations=11",
        "--max-connections=12",
        "--max-waiters-per-address=13",
        "--trusted-proxy=192.0.2.7",
        "--trusted-proxy=2001:db8::/32",
        "--forwarded-header=forwarded",
    ]
    assert settings(*words) == Settings(
        listen=("tcp:1", "unix:sesame"),
        admin_listen=("tcp:2", "unix:admin"),
        state_dir=Path("/sesame"),
        flush_interval=2.5,
        pin_lifetime=172800.0,
        max_wait=120.0,
        max_waiters=9,
        limits=Limits(clusters=7, keys_per_cluster=8, tombstones=14),
        request_limits=RequestLimits(
            body_size=1000, header_timeout=0.5, body_timeout=60.0
        ),
        client_limits=ClientLimits(
            guesses=10,
            creations=11,
            connections=12,
            waiters=13,
            trusted_proxies=(ip_network("192.0.2.7/32"), ip_network("2001:db8::/32")),
            forwarded_header="forwarded",
        ),
    )


def test_synced_has_no_interval() -> None:
    assert settings("--snapshot-interval=5s").flush_interval is None


def test_nobody_may_wait() -> None:
    assert settings("--max-wait=0").max_wait == 0


def test_clients_have_no_limits() -> None:
    words = [f"--max-{name}=0" for name in ("guesses", "creations")]
    assert settings(*words).client_limits == ClientLimits(guesses=0, creations=0)


def test_one_endpoint_takes_the_place_of_the_default() -> None:
    assert settings("--listen=tcp:1").listen == ("tcp:1",)
    assert settings().listen == (DEFAULT_ENDPOINT,)


@pytest.mark.parametrize(
    ("word", "seconds"),
    [("90", 90), ("90s", 90), ("1.5m", 90), ("24h", 86400), ("7d", 604800)],
)
def test_durations(word: str, seconds: float) -> None:
    assert settings(f"--pin-lifetime={word}").pin_lifetime == seconds


@pytest.mark.parametrize(("name", "word"), BAD)
def test_a_bad_value_is_one_line_that_names_the_option(
    capsys: pytest.CaptureFixture[str], name: str, word: str
) -> None:
    line = complaint(capsys, f"--{name}={word}")
    assert line.startswith(f"cvmpair: --{name} must be ")
    assert line.endswith(f"not {word!r}")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--sesame"], "sesame"),
        (["--max-keys"], "max-keys"),
        (["sesame"], "'sesame'"),
        (["--max-keys=1", "sesame", "sesame2"], "'sesame'"),
        (["--version=1"], "version"),
    ],
)
def test_bad_words(
    capsys: pytest.CaptureFixture[str], words: list[str], named: str
) -> None:
    assert named in complaint(capsys, *words)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        settings("--version")
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"cvmpair {__version__}\n"


def test_help_explains_every_option_with_its_default() -> None:
    text = " ".join(str(Options()).split())
    for name, _, default, explained in Options.optParameters:
        assert f"--{name}=" in text
        assert f"{explained} [default: {default}]" in text
    assert f"[default: {DEFAULT_ENDPOINT}]" in text
    assert "--listen=" in text
