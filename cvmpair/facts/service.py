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
from http import HTTPStatus
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPSConnection,
    RemoteDisconnected,
)
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from attrs import define, evolve, field
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cvmpair.checks.service import CertificateFacts, ServiceFacts
from cvmpair.client.errors import ClientError, NoAnswer, Untrusted
from cvmpair.client.failures import MAY_BE_PLAIN, MAY_BE_TLS
from cvmpair.client.tls import https_policy
from cvmpair.core.errors import CLIENT_LIMITS
from cvmpair.core.fingerprint import fingerprint
from cvmpair.facts.agent_tls import AgentHTTPSConnection

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
    _policy: Any = field(init=False)
    _trusted: bool = field(init=False, default=True)

    def __attrs_post_init__(self) -> None:
        """
        :raises ValueError: if the file of authorities cannot be used; the text says
            why.
        """
        self._policy = https_policy(self.ca_file, self.pinned)

    def facts(self, *, trial: bool) -> ServiceFacts:
        """
        Find out about the service.

        :param trial: whether to create a PIN and delete it.
        """
        facts = ServiceFacts(url=self.url)
        try:
            if self._parts.scheme == "https":
                certificate = self._certificate()
                self._trusted = not certificate.problem
                facts = evolve(facts, certificate=certificate)
            status, headers, _ = self._ask("OPTIONS", "")
        except (OSError, HTTPException, ValueError, ClientError) as error:
            return evolve(facts, problem=self._reason(error))
        facts = evolve(facts, status=status, allows="POST" in headers.get("allow", ""))
        if not trial or not facts.allows or not self._trusted:
            return facts
        try:
            problem, step = self._try(), ""
        except _NotCreated as error:
            problem, step = str(error), error.step
        return evolve(facts, tried=True, try_problem=problem, try_step=step)

    def _try(self) -> str:
        try:
            status, _, body = self._ask("POST", "")
            if status != HTTPStatus.CREATED:
                raise _NotCreated(status, body)
            members = json.loads(body)
            admin = members.get("tokens", {}).get("admin")
            headers = {"Authorization": f"Bearer {admin}"} if admin else {}
            status, _, _ = self._ask("DELETE", f"/{members['pin']}", headers)
        except (OSError, HTTPException, ClientError) as error:
            return f"the trial was not answered: {self._reason(error)}"
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

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        with closing(self._connection()) as connection:
            place = f"{self._parts.path.rstrip('/')}{CLUSTERS}{path}"
            sent = {"Accept": "application/json", "User-Agent": "cvmpair"}
            connection.request(method, place, headers={**sent, **(headers or {})})
            answer = connection.getresponse()
            found = {name.lower(): text for name, text in answer.getheaders()}
            if self.time is None and "date" in found:
                self.time = parsedate_to_datetime(found["date"]).timestamp()
            return answer.status, found, answer.read(LONGEST)

    def _connection(self) -> HTTPConnection:
        host, port = str(self._parts.hostname), self._port
        if self._parts.scheme != "https":
            return HTTPConnection(host, port, timeout=TIMEOUT)
        if self._trusted:
            # It may be another server each time.
            return AgentHTTPSConnection(
                host, port, timeout=TIMEOUT, policy=self._policy
            )
        # What is not trusted is told nothing; it is only looked at.
        return HTTPSConnection(host, port, timeout=TIMEOUT, context=_unverified())

    def _certificate(self) -> CertificateFacts:
        problem = step = ""
        certificate = self._look()
        try:
            with closing(self._connection()) as connection:
                connection.connect()
        except Untrusted as error:
            problem, step = error.reason, error.step
        except NoAnswer as error:
            problem = error.reason
            step = "set the clock of this machine, or have the certificate renewed"
        left = certificate.not_valid_after_utc - datetime.now(UTC)
        return CertificateFacts(
            problem=problem,
            step=step,
            names=_names(certificate),
            days=left.total_seconds() / 86400,
            fingerprint=_key_of(certificate),
        )

    def _look(self) -> x509.Certificate:
        host = str(self._parts.hostname)
        plain = socket.create_connection((host, self._port), TIMEOUT)
        with (
            plain,
            _unverified().wrap_socket(plain, server_hostname=host) as connection,
        ):
            data = connection.getpeercert(binary_form=True)
        assert data is not None, "a server has one"
        return x509.load_der_x509_certificate(data)

    def _reason(self, error: Exception) -> str:
        in_clear = self._parts.scheme == "http"
        if isinstance(error, TimeoutError):
            hint = "" if in_clear or self.time else f": {MAY_BE_PLAIN}"
            return f"it does not answer in time{hint}"
        if isinstance(error, ssl.SSLError):
            return f"no encrypted connection comes about: {MAY_BE_PLAIN}"
        if isinstance(error, RemoteDisconnected) and in_clear:
            return f"the connection was closed without an answer: {MAY_BE_TLS}"
        if isinstance(error, OSError):
            return error.strerror or str(error) or type(error).__name__
        if isinstance(error, ClientError):
            return str(error)
        return f"what it sends is no HTTP ({type(error).__name__})"


class _NotCreated(Exception):
    """
    The service has not created a cluster.

    :ivar step: what to do about it; empty if only its log can tell.
    """

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"no PIN can be created: status {status}")
        self.step = ""
        if status == HTTPStatus.INSUFFICIENT_STORAGE:
            self.step = "wait until clusters expire, or raise --max-clusters"
        elif status == HTTPStatus.TOO_MANY_REQUESTS:
            self.step = f"wait a minute, or raise --max-{_limit(body)}"


def _limit(body: bytes) -> str:
    try:
        name = json.loads(body)["limit"]
    except (ValueError, KeyError, TypeError):
        name = None
    return name if name in CLIENT_LIMITS else "creations"


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


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
