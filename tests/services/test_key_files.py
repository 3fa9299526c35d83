"""
Which private keys every user may read.
"""

from pathlib import Path

import pytest

from cvmpair.services.key_files import exposed_keys

KEY = "-----BEGIN EC PRIVATE KEY-----\nsesame\n"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site").mkdir()
    for name, text in {
        "server.pem": KEY,
        "key:1.pem": KEY,
        "site/both.pem": f"-----BEGIN CERTIFICATE-----\n{KEY}",
        "site/chain.pem": "-----BEGIN CERTIFICATE-----\n",
        "site/key.txt": KEY,
    }.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o644)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("ssl:443", ["server.pem"]),
        ("ssl:443:server.pem:other.pem", ["server.pem"]),
        (r"ssl:443:certKey=c.pem:privateKey=key\:1.pem", ["key:1.pem"]),
        ("ssl:443:privateKey=missing.pem", []),
        ("tls:.:port=443", ["key:1.pem", "server.pem", "site/both.pem"]),
        ("tls:path=site", ["site/both.pem"]),
        ("tcp:443", []),
        ("systemd:domain=INET:index=0", []),
    ],
)
def test_the_files_of_an_endpoint(
    directory: Path, words: str, names: list[str]
) -> None:
    found = {file.resolve(): mode for file, mode in exposed_keys(words)}
    assert found == {directory / name: 0o644 for name in names}


@pytest.mark.parametrize(
    ("mode", "exposed"), [(0o600, False), (0o640, False), (0o604, True), (0o666, True)]
)
def test_the_modes(directory: Path, mode: int, *, exposed: bool) -> None:
    (directory / "server.pem").chmod(mode)
    found = [mode for _, mode in exposed_keys("ssl:443")]
    assert found == ([mode] if exposed else [])
