"""
The treq client of the API.

It works with the original service too, so it asks for nothing that that one lacks.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from attrs import define, field, frozen
from hyperlink import URL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.iweb import IResponse

from cvmpair.client.answers import PROBLEM, Answer, read_answer
from cvmpair.client.errors import ClientError, NoAnswer, Refused, WaitedInVain
from cvmpair.client.failures import MAY_BE_PLAIN, MAY_BE_TLS, no_answer
from cvmpair.core.errors import (
    REASONS,
    ClusterGone,
    ClusterNotFound,
    KeyExists,
    KeyNotFound,
)
from cvmpair.core.names import is_pin, is_token, key_name

JSON: Final = "application/json"
TEXT: Final = "text/plain"

TIMEOUT: Final = 15.0
"""The seconds that an exchange may take, from the look-up of the name to the last
byte of the answer."""


class TreqLike(Protocol):
    """
    What is used of :class:`treq.client.HTTPClient`.
    """

    @property
    def request(self) -> Callable[..., Deferred[Any]]:
        """
        Sends a request.
        """


@frozen(kw_only=True)
class NewCluster:
    """
    What the service says about a cluster that it has created.

    :ivar creation_time: as the service writes it (RFC 3339).
    :ivar expiration_time: likewise; the original service does not say.
    :ivar tokens: by their scopes, if the cluster is protected.
    """

    pin: str = field(repr=False)
    creation_time: str
    expiration_time: str | None
    tokens: Mapping[str, str] = field(factory=dict, repr=False)


class _ReadyURL(URL):
    """
    A URL that is not encoded once more: hyperlink 21 takes an IPv6 address for a host
    name then, and refuses it.
    """

    def to_uri(self) -> URL:
        return self


def _without_slash(url: str) -> str:
    return url.rstrip("/")


@define(eq=False, kw_only=True)
class PairingClient:
    """
    Asks the service, each time once.

    Every method raises :class:`~cvmpair.client.errors.RetryLater` or its
    :class:`~cvmpair.client.errors.NoAnswer` if asking again makes sense, and
    :class:`~cvmpair.client.errors.Refused` or
    :class:`~cvmpair.client.errors.Untrusted` if it does not.

    :ivar base_url: where the service is; what precedes ``/api/v1``.
    :ivar timeout: the seconds that an exchange may take as a whole, without those
        that the service may wait.
    :ivar token: is sent along, to nobody but this service.
    :ivar answered: whether there was an answer, so that the scheme is the right one.
    """

    base_url: str = field(converter=_without_slash)
    http: TreqLike = field(repr=False)
    clock: IReactorTime = field(repr=False)
    timeout: float = TIMEOUT
    token: str | None = field(default=None, repr=False)
    answered: bool = field(init=False, default=False)

    @base_url.validator
    def _check_base_url(self, _attribute: Any, url: str) -> None:
        try:
            parts = urlsplit(url)
            # An empty port is as good as none, but 0 is not.
            known = parts.scheme in {"http", "https"} and parts.port != 0
        except ValueError:
            known = False
        if not known or not parts.hostname or "@" in url or not url.isascii():
            raise ValueError("The service's URL is http(s)://HOST[:PORT], in ASCII.")

    async def create_cluster(self, *, protected: bool = False) -> NewCluster:
        """
        Have the service create a cluster; it may protect it without being asked.

        :raises Refused: also if it does not, though it was asked.
        """
        content = {"protected": True} if protected else None
        answer = await self._ask("POST", "", JSON, content)
        try:
            answer.expect(HTTPStatus.CREATED)
        except ClientError as error:
            # It quotes no PIN, for there is none yet.
            error.detail = answer.detail
            raise
        members = answer.members()
        pin, created = members.get("pin"), members.get("creation_time")
        expires = members.get("expiration_time")
        if not isinstance(pin, str) or not is_pin(pin) or not isinstance(created, str):
            raise answer.not_ours()
        tokens = members.get("tokens") or {}
        if not isinstance(tokens, dict) or not all(
            isinstance(token, str) and is_token(token) for token in tokens.values()
        ):
            raise answer.not_ours()
        if protected and not {"read", "write", "admin"} <= tokens.keys():
            raise Refused(
                answer.status,
                "The service has created a cluster that it does not protect: it is an "
                "earlier release, or another program, and has no tokens.",
            )
        return NewCluster(
            tokens=tokens,
            pin=pin,
            creation_time=created,
            expiration_time=expires if isinstance(expires, str) else None,
        )

    async def delete_cluster(self, pin: str) -> None:
        """
        Delete a cluster; that takes the admin token of a protected one.
        """
        answer = await self._ask("DELETE", _cluster(pin), JSON)
        answer.expect(HTTPStatus.NO_CONTENT)

    async def has_cluster(self, pin: str) -> bool:
        """
        Say whether a cluster has this PIN.

        "No" is final, so it takes an answer that only a pairing service gives.

        :raises ClusterGone: if it had it, and the service says what happened.
        """
        answer = await self._ask("GET", _cluster(pin), JSON)
        answer.expect(HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
        if answer.status != HTTPStatus.OK:
            if answer.media_type not in {JSON, PROBLEM}:
                raise answer.not_ours()
            if answer.status == HTTPStatus.GONE:
                _check_ending(answer)
            return False
        if answer.members().get("pin") != pin:
            raise answer.not_ours()
        return True

    async def key(self, pin: str, name: str, wait: int = 0) -> str:
        """
        Return the value of a key.

        :param wait: the seconds that the service may wait until there is one; not
            every service does.

        :raises WaitedInVain: if there is none, and the service says that it waits.
        :raises KeyNotFound: if there is none; or no such cluster, for the original
            service answers the same then.
        :raises ClusterNotFound: if the cluster is gone for certain.
        """
        answer = await self._ask(
            "GET", f"{_cluster(pin)}/keys/{key_name(name)}", TEXT, wait=wait
        )
        answer.expect(HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
        if answer.status == HTTPStatus.NOT_FOUND:
            if answer.waits is not None:
                raise WaitedInVain(answer.waits)
            raise KeyNotFound
        if answer.status == HTTPStatus.GONE:
            raise ClusterNotFound
        return answer.line(name)

    async def add_key(self, pin: str, name: str, value: str) -> None:
        """
        Add a key.

        :raises KeyExists: if there is one of this name.
        :raises ClusterNotFound: if no cluster has this PIN.
        """
        key = {"key": key_name(name), "value": value}
        answer = await self._ask("POST", f"{_cluster(pin)}/keys", JSON, key)
        answer.expect(
            HTTPStatus.CREATED,
            HTTPStatus.CONFLICT,
            HTTPStatus.NOT_FOUND,
            HTTPStatus.GONE,
        )
        if answer.status == HTTPStatus.CONFLICT:
            raise KeyExists
        if answer.status != HTTPStatus.CREATED:
            raise ClusterNotFound

    async def _ask(
        self,
        method: str,
        path: str,
        accept: str,
        content: Mapping[str, object] | None = None,
        *,
        wait: int = 0,
    ) -> Answer:
        headers = {"Accept": accept, "User-Agent": "cvmpair"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if wait:
            headers["Prefer"] = f"wait={wait}"
        exchange = self._exchange(method, path, headers, content)
        asking = Deferred.fromCoroutine(exchange)
        return await asking.addTimeout(self.timeout + wait, self.clock, self._timed_out)

    @property
    def silence(self) -> str:
        """
        What is to be said of a service that is silent, as part of a sentence.
        """
        if self.answered or self._is_in_clear:
            return "it does not answer"
        # A server without TLS waits for the rest of what is no request to it.
        return f"it does not answer: {MAY_BE_PLAIN}"

    @property
    def _is_in_clear(self) -> bool:
        return self.base_url.lower().startswith("http:")

    def _timed_out(self, _failed: Answer | Failure, timeout: float) -> Answer:
        hint = "" if self.answered or self._is_in_clear else f": {MAY_BE_PLAIN}"
        raise NoAnswer(f"it gave no whole answer within {timeout:g} s{hint}")

    async def _exchange(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        content: Mapping[str, object] | None,
    ) -> Answer:
        url = f"{self.base_url}/api/v1/clusters{path}"
        if content is not None:
            headers["Content-Type"] = JSON
        try:
            response: IResponse = await self.http.request(
                method,
                _ReadyURL.from_text(url),
                headers=headers,
                data=None if content is None else json.dumps(content).encode(),
                allow_redirects=False,
                unbuffered=True,
                # Without it treq imports the global one.
                reactor=self.clock,
            )
            self.answered = True
            return await read_answer(response, url)
        except Exception as failed:
            # What failed may quote the URL, and with it the PIN.
            hint = MAY_BE_TLS if self._is_in_clear and not self.answered else ""
            raise no_answer(failed, hint) from None


def _cluster(pin: str) -> str:
    if not is_pin(pin):
        raise ValueError("A PIN has 12 lower-case letters and digits.")
    return f"/{pin}"


def _check_ending(answer: Answer) -> None:
    members = answer.members()
    try:
        reason = REASONS[REASONS.index(members["reason"])]
        gone = ClusterGone(reason, datetime.fromisoformat(members["ended"]).timestamp())
        str(gone)
    # What is no such answer fails in many ways; that it is gone is said by the status.
    except Exception:
        return
    raise gone
