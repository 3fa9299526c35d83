"""
A service, asked as a client would, and its certificate.
"""

import json
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from attrs import define, evolve, field
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cvmpair.checks.service import CertificateFacts, ServiceFacts
from cvmpair.core.fingerprint import fingerprint

TIMEOUT: Final = 10.0
"""The seconds that each step of an exchange may take."""

CLUSTERS: Final = "/api/v1/clusters"
LONGEST: Final = 64 * 1024


@define(eq=False)
class ServiceProbe:
    """
    Asks one service.

    :ivar url: its base URL.
    :ivar ca_file: a PEM file with the authorities to trust.
    :ivar pinned: the fingerprint of the only key to trust, whoever signed for it.
    :ivar time: what its clock showed at its first answer.
    """

    url: str
    ca_file: str | None
    pinned: str | None = None
    time: float | None = field(init=False, default=None)
    _trusted: bool = field(init=False, default=True)

    def facts(self, *, trial: bool) -> ServiceFacts:
        """
        Find out about the service.

        :param trial: whether to create a PIN and delete it.
        :raises OSError: if the file of authorities cannot be read.
        """
        facts = ServiceFacts(url=self.url)
        self._context(verified=True)
        try:
            if self._parts.scheme == "https":
                certificate = self._certificate()
                self._trusted = not certificate.problem
                facts = evolve(facts, certificate=certificate)
            status, headers, _ = self._ask("OPTIONS", "")
        except (OSError, HTTPException, ValueError) as error:
            return evolve(facts, problem=_reason(error))
        facts = evolve(facts, status=status, allows="POST" in headers.get("allow", ""))
        if not trial or not facts.allows or not self._trusted:
            return facts
        return evolve(facts, tried=True, try_problem=self._try())

    def _try(self) -> str:
        try:
            status, _, body = self._ask("POST", "")
            if status != 201:  # noqa: PLR2004
                return f"no PIN can be created: status {status}"
            members = json.loads(body)
            admin = members.get("tokens", {}).get("admin")
            headers = {"Authorization": f"Bearer {admin}"} if admin else {}
            status, _, _ = self._ask("DELETE", f"/{members['pin']}", headers)
        except (OSError, HTTPException) as error:
            return f"the trial was not answered: {_reason(error)}"
        except (ValueError, KeyError, AttributeError):
            return "the answer to a creation is none of a pairing service"
        deleted = status in {200, 204}
        return "" if deleted else f"the PIN cannot be deleted: status {status}"

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def _port(self) -> int:
        return self._parts.port or (443 if self._parts.scheme == "https" else 80)

    def _context(self, *, verified: bool) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        if not verified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        host, port = str(self._parts.hostname), self._port
        connection = HTTPConnection(host, port, timeout=TIMEOUT)
        if self._parts.scheme == "https":
            # What is not trusted is told nothing; it is only looked at.
            verified = self._trusted and self.pinned is None
            context = self._context(verified=verified)
            connection = HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
        with closing(connection):
            place = f"{self._parts.path.rstrip('/')}{CLUSTERS}{path}"
            sent = {"Accept": "application/json", "User-Agent": "cvmpair"}
            connection.connect()
            if self._trusted and self.pinned is not None:
                # It may be another server each time.
                peer: Any = connection.sock
                if _key_of(_read(peer.getpeercert(binary_form=True))) != self.pinned:
                    raise ConnectionError("its key is another now")
            connection.request(method, place, headers={**sent, **(headers or {})})
            answer = connection.getresponse()
            found = {name.lower(): text for name, text in answer.getheaders()}
            if self.time is None and "date" in found:
                self.time = parsedate_to_datetime(found["date"]).timestamp()
            return answer.status, found, answer.read(LONGEST)

    def _certificate(self) -> CertificateFacts:
        problem = ""
        try:
            data = self._handshake(verified=self.pinned is None)
        except ssl.SSLCertVerificationError as error:
            problem = error.verify_message.rstrip(".")
            data = self._handshake(verified=False)
        certificate = _read(data)
        key = _key_of(certificate)
        if self.pinned not in {None, key}:
            problem = "its key is not the one of --service-fingerprint"
        left = certificate.not_valid_after_utc - datetime.now(UTC)
        return CertificateFacts(
            problem=problem,
            names=_names(certificate),
            days=left.total_seconds() / 86400,
            fingerprint=key,
        )

    def _handshake(self, *, verified: bool) -> bytes:
        host = str(self._parts.hostname)
        plain = socket.create_connection((host, self._port), TIMEOUT)
        context = self._context(verified=verified)
        with plain, context.wrap_socket(plain, server_hostname=host) as connection:
            data = connection.getpeercert(binary_form=True)
        assert data is not None, "a server has one"
        return data


def _read(data: bytes | None) -> x509.Certificate:
    return x509.load_der_x509_certificate(data or b"")


def _key_of(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    return fingerprint(
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found: Any = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(str(name.value) for name in found.value)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return f"what it sends is no HTTP ({type(error).__name__})"
