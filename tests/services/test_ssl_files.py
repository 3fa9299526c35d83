"""
What is wrong with which file of an ``ssl:`` endpoint.
"""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from cvmpair.services.endpoints import endpoint_of
from tests.client.authority import Authority
from tests.services.pem import pem


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    authority = Authority("site")
    authority.issue_file(Path("both.pem"), "localhost")
    key, begin, certificate = Path("both.pem").read_text().partition("-----BEGIN CERT")
    Path("key.pem").write_text(pem("EC PARAMETERS") + key)
    Path("cert.pem").write_text(begin + certificate)
    authority.write(Path("ca.pem"))
    authority.write_key(Path("other-key.pem"))
    (tmp_path / "directory").mkdir()
    for name, text in {
        "empty.pem": "",
        "cert-damaged.pem": pem("CERTIFICATE"),
        "key-damaged.pem": pem("PRIVATE KEY"),
        "cut.pem": pem("CERTIFICATE").partition("-----END")[0],
    }.items():
        Path(name).write_text(text)
    locked = generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"sesame")
    )
    Path("locked.pem").write_bytes(locked)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        "privateKey=both.pem",
        "privateKey=key.pem:certKey=cert.pem",
        "key.pem:cert.pem",
        "privateKey=cert.pem:certKey=key.pem",
        "privateKey=both.pem:extraCertChain=ca.pem",
    ],
)
@pytest.mark.usefixtures("directory")
def test_what_twisted_takes(words: str) -> None:
    endpoint_of(None, f"ssl:8443:{words}")


WRONG = {
    "": "it names no file, and server.pem, which Twisted takes then, cannot be read",
    ":privateKey=none.pem:certKey=cert.pem": "privateKey=none.pem cannot be read: No",
    ":privateKey=key.pem:certKey=none.pem": "certKey=none.pem cannot be read: No such",
    ":server.pem": "privateKey=server.pem cannot be read: No such file",
    ":key.pem:directory": "certKey=directory cannot be read: Is a directory",
    ":key.pem": "certKey=key.pem has no certificate in PEM form; name its file as",
    ":cert.pem": "privateKey=cert.pem has no private key in PEM form",
    ":key.pem:empty.pem": "certKey=empty.pem has no certificate in PEM form",
    ":key.pem:cert-damaged.pem": "certKey=cert-damaged.pem has a certificate that is",
    ":key-damaged.pem:cert.pem": "privateKey=key-damaged.pem has a private key that is",
    ":locked.pem:cert.pem": "privateKey=locked.pem has a private key with a passphrase",
    ":key.pem:cut.pem": "certKey=cut.pem is cut off",
    ":key.pem:ca.pem": "certKey=ca.pem begins with a certificate that is not for the",
    ":other-key.pem:cert.pem": "not for the private key of privateKey=other-key.pem",
    ":both.pem:extraCertChain=none.pem": "extraCertChain=none.pem cannot be read",
    ":both.pem:extraCertChain=cert-damaged.pem": "extraCertChain=cert-damaged.pem has",
    ":both.pem:dhParameters=none.pem": "dhParameters=none.pem cannot be read: No such",
}


@pytest.mark.parametrize("words", WRONG)
@pytest.mark.usefixtures("directory")
def test_the_file_that_is_wrong_is_named(words: str) -> None:
    with pytest.raises(ValueError, match="no usable endpoint: ") as wrong:
        endpoint_of(None, f"ssl:8443{words}")
    reason = str(wrong.value).partition(" endpoint: ")[2]
    assert WRONG[words] in reason
    assert "\n" not in reason
    assert "sesame" not in reason
