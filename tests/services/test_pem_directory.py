"""
What a directory of certificates must not have in it, and in which file.
"""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from cvmpair.services.pem_directory import check_pem_directory
from tests.client.authority import Authority
from tests.services.pem import pem


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


WRONG = {
    "": "neither a certificate nor a private key",
    "open sesame": "neither a certificate nor a private key",
    pem("CERTIFICATE"): "a certificate that is damaged",
    pem("EC PRIVATE KEY"): "a private key that is damaged",
    pem("ENCRYPTED PRIVATE KEY"): "a private key that is damaged",
    pem("DH PARAMETERS"): "of the kind 'DH PARAMETERS'",
    pem("CERTIFICATE REQUEST"): "of the kind 'CERTIFICATE REQUEST'",
    pem("CERTIFICATE").partition("-----END")[0]: "is cut off: its CERTIFICATE",
}


@pytest.mark.parametrize("text", WRONG)
def test_one_of_several_is_wrong(
    tmp_path: Path, authority: Authority, text: str
) -> None:
    file = tmp_path / "other.pem"
    authority.issue_file(file, "other.example")
    check_pem_directory(f"tls:{tmp_path}:port=8443")
    file.write_text(text)
    with pytest.raises(ValueError, match=WRONG[text]) as wrong:
        check_pem_directory(f"tls:{tmp_path}:port=8443")
    said = str(wrong.value)
    assert said.startswith(f"{file} ")
    assert "\n" not in said
    assert "sesame" not in said.replace(str(tmp_path), "")


def test_a_key_with_a_passphrase(tmp_path: Path, authority: Authority) -> None:
    assert authority
    key = generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"sesame")
    )
    (tmp_path / "key.pem").write_bytes(key)
    with pytest.raises(ValueError, match=r"key\.pem has .* with a passphrase"):
        check_pem_directory(f"tls:{tmp_path}:port=8443")


def test_a_key_of_another_certificate(tmp_path: Path, authority: Authority) -> None:
    authority.write_key(tmp_path / "key.pem")
    with pytest.raises(ValueError, match=r"key\.pem has .* whose certificate is in no"):
        check_pem_directory(f"tls:{tmp_path}:port=8443")


def test_files_that_cannot_be_read(tmp_path: Path, authority: Authority) -> None:
    assert authority
    link = tmp_path / "link.pem"
    # It is a file, but has nothing at its beginning.
    link.symlink_to("/proc/self/mem")
    with pytest.raises(ValueError, match=r"link\.pem: Input/output error"):
        check_pem_directory(f"tls:{tmp_path}:port=8443")
    link.unlink()
    link.symlink_to("missing")
    with pytest.raises(ValueError, match=r"link\.pem is a link to a file that is not"):
        check_pem_directory(f"tls:{tmp_path}:port=8443")
