"""
What a directory of certificates must not have in it.
"""

from pathlib import Path

import pytest

from cvmpair.services.pem_directory import check_pem_directory
from tests.client.authority import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority("site")
    authority.issue_file(tmp_path / "localhost.pem", "localhost")
    return authority


def test_a_certificate_with_its_key(tmp_path: Path, authority: Authority) -> None:
    assert authority
    check_pem_directory(f"tls:{tmp_path}:port=8443")


def test_no_directory(tmp_path: Path, authority: Authority) -> None:
    assert authority
    for place in tmp_path / "missing", tmp_path / "localhost.pem":
        with pytest.raises(ValueError, match=f"^{place} is no directory$"):
            check_pem_directory(f"tls:{place}:port=8443")


def test_that_of_the_authority(tmp_path: Path, authority: Authority) -> None:
    # Twisted would never come back, which is no test to have.
    authority.write(tmp_path / "chain.pem")
    with pytest.raises(ValueError, match=r"chain\.pem .* take it out"):
        check_pem_directory(f"tls:{tmp_path}:port=8443")


def test_that_of_the_authority_behind_another(
    tmp_path: Path, authority: Authority
) -> None:
    file = tmp_path / "localhost.pem"
    own = file.read_bytes()
    authority.write(file)
    file.write_bytes(own + file.read_bytes())
    with pytest.raises(ValueError, match=r"localhost\.pem .* take it out"):
        check_pem_directory(f"tls:{tmp_path}:port=8443")


def test_one_that_has_signed_for_itself(tmp_path: Path) -> None:
    authority = Authority("localhost")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    authority.write(certificate)
    authority.write_key(key)
    check_pem_directory(f"tls:path={tmp_path}:port=8443")


@pytest.mark.parametrize("words", ["tcp:8080", "ssl:8443:privateKey=key.pem", "tls:"])
def test_other_endpoints(words: str) -> None:
    check_pem_directory(words)
