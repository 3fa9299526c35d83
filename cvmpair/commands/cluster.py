"""
What an operator knows of a cluster: printed by ``cvmpair new``, and read back from a
file that holds it.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, Self

from attrs import field, frozen

from cvmpair.contexts.block import pin, service_url
from cvmpair.core.fingerprint import check_fingerprint
from cvmpair.core.names import is_token
from cvmpair_agent.context.cluster import Role
from cvmpair_agent.errors import ContextWrong

SCOPE: Final = {Role.MASTER: "write", Role.WORKER: "read"}
"""The token that a machine needs."""

NO_PLACE: Final = (
    "The tokens of a protected cluster are to be had only when it is created, and need "
    "a place: name one with --output NAME, for NAME-cluster.json, or use "
    "`cvmpair new --protected --json` and --cluster-file."
)


@frozen(kw_only=True)
class KnownCluster:
    """
    A cluster.

    :ivar service_url: of the service that has it, which alone is shown its tokens.
    :ivar tokens: by their scopes, if it is protected.
    :ivar fingerprint: of the server, if machines are to know it by that.
    :ivar times: when it was created and expires, as the service said it.
    """

    pin: str = field(repr=False)
    service_url: str | None = None
    tokens: Mapping[str, str] = field(factory=dict, repr=False)
    fingerprint: str | None = None
    times: Mapping[str, str] = field(factory=dict)

    @classmethod
    def from_json(cls, text: bytes, name: str) -> Self:
        """
        Read what :meth:`to_json` wrote, or what the service answered.

        :param name: what to call the file.
        :raises ContextWrong: if it is neither; the text does not say what it was.
        """
        try:
            members = json.loads(text)
            tokens = members.get("tokens") or {}
            url = members.get("service_url")
            pinned = members.get("service_fingerprint")
            return cls(
                pin=pin(members["pin"]),
                # The service's own answer has none.
                service_url=None if url is None else service_url(url),
                tokens={scope: _token(text) for scope, text in tokens.items()},
                fingerprint=None if pinned is None else check_fingerprint(pinned),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise ContextWrong(
                f"{name} is no cluster file: it has to hold what `cvmpair new --json` "
                "prints."
            ) from None

    def to_json(self) -> str:
        """
        Return all of it, in one line that is spelled as the service spells its own.
        """
        members: dict[str, Any] = {"pin": self.pin, **self.times}
        if self.tokens:
            members["tokens"] = dict(self.tokens)
        if self.service_url is not None:
            members["service_url"] = self.service_url
        if self.fingerprint is not None:
            members["service_fingerprint"] = self.fingerprint
        return json.dumps(members, separators=(",", ":"))

    def to_lines(self) -> str:
        """
        Return it for people: the PIN alone, if that is all, and else with names.
        """
        if not self.tokens and self.fingerprint is None:
            return self.pin
        return "\n".join(f"{name}: {word}" for name, word in self._named())

    def token_for(self, role: Role) -> str | None:
        """
        Return the token that a machine of this role needs.

        :raises ContextWrong: if there are tokens, but not this one.
        """
        if self.tokens and SCOPE[role] not in self.tokens:
            raise ContextWrong(
                f"The cluster file has no {SCOPE[role]} token; a {role.value} needs it."
            )
        return self.tokens.get(SCOPE[role])

    def _named(self) -> Iterator[tuple[str, str]]:
        yield "pin", self.pin
        for scope, token in self.tokens.items():
            yield f"{scope}_token", token
        if self.fingerprint is not None:
            yield "service_fingerprint", self.fingerprint


def _token(text: str) -> str:
    if not is_token(text):
        raise ValueError
    return text
