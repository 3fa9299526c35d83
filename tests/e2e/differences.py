"""
Where this service deliberately does not answer like the original one, and why.

``test_replay.py`` compares every recorded exchange. What differs must be listed
here, and what is listed here must differ: an entry that is no longer true fails.
"""

from collections.abc import Callable
from typing import Final

from attrs import frozen

from tests.e2e.exchange import Aspect, Exchange, is_error


@frozen(kw_only=True)
class GeneralDifference:
    """
    A difference that every exchange of some kind has.

    :ivar aspects: in which respects these exchanges differ.
    :ivar applies: says which exchanges these are.
    """

    aspects: frozenset[Aspect]
    applies: Callable[[Exchange], bool]
    reason: str


GENERAL = [
    GeneralDifference(
        aspects=frozenset({Aspect.ALLOW}),
        applies=lambda exchange: (
            exchange.recorded.status != 405 and bool(exchange.recorded.allow)
        ),
        reason="The original said Allow on every answer. It belongs on 405 and on the "
        "answer to OPTIONS; nobody reads it elsewhere.",
    ),
    GeneralDifference(
        aspects=frozenset({Aspect.MEDIA_TYPE, Aspect.BODY}),
        applies=lambda exchange: is_error(exchange) and not exchange.wants_text,
        reason="Errors are problem details (RFC 9457), whatever the resource; the "
        "original had JSON of its own, an empty text, or HTML.",
    ),
    GeneralDifference(
        aspects=frozenset({Aspect.PARAMETERS, Aspect.BODY}),
        applies=lambda exchange: is_error(exchange) and exchange.wants_text,
        reason="A client that accepts only text gets the reason as a line of text; the "
        "original said nothing.",
    ),
    GeneralDifference(
        aspects=frozenset({Aspect.PARAMETERS}),
        applies=lambda exchange: (
            not is_error(exchange)
            and exchange.recorded.status != 204
            and exchange.recorded.media_type == "text/plain"
        ),
        reason="Text says that it is UTF-8; HTTP has no default for that any more.",
    ),
    GeneralDifference(
        aspects=frozenset({Aspect.TIMES}),
        applies=lambda exchange: "creation_time" in exchange.recorded.body,
        reason="Times are UTC, written with Z, not in the time zone of the server.",
    ),
]


@frozen(kw_only=True)
class SingleDifference:
    """
    A difference of one step of one scenario.
    """

    aspects: frozenset[Aspect]
    reason: str


_GONE: Final = SingleDifference(
    aspects=frozenset({Aspect.STATUS}),
    reason="A PIN that was valid is 410 for 7 days, with what happened and when.",
)

SINGLE = {
    ("create and read a cluster", 4): _GONE,
    ("create and read a cluster", 5): _GONE,
    ("modify and delete a key", 7): SingleDifference(
        aspects=frozenset({Aspect.MEDIA_TYPE}),
        reason="An answer without content (204) has no media type.",
    ),
}
"""By scenario and number of the step, counted from 1."""


@frozen(kw_only=True)
class Unrecorded:
    """
    A difference in an exchange of which there is no record, only the knowledge
    of what the original did.

    :ivar request: method, path and, if any, JSON body; the cluster has the keys
        ``sesame-a`` and ``sesame-b``.
    """

    request: tuple[str, str, dict[str, str] | None]
    original: str
    status: int
    reason: str


UNRECORDED = [
    Unrecorded(
        request=("GET", "/api/v1/clusters/aaaaaaaaaaaa/keys", None),
        original="200, an empty list",
        status=404,
        reason="A PIN with a typing error should not look like a cluster without keys.",
    ),
    Unrecorded(
        request=(
            "PUT",
            "/api/v1/clusters/{PIN}/keys/sesame-a",
            {"key": "sesame-b", "value": "sesame"},
        ),
        original="200, and two keys of one name",
        status=409,
        reason="Two keys of one name can be read and deleted only by chance.",
    ),
    Unrecorded(
        request=(
            "POST",
            "/api/v1/clusters/{PIN}/keys",
            {"key": "sesame c", "value": "sesame"},
        ),
        original="201",
        status=400,
        reason="No path leads to a key of such a name, so nobody could read it.",
    ),
    Unrecorded(
        request=(
            "POST",
            "/api/v1/clusters/{PIN}/keys",
            {"key": "sesame-long", "value": "sesame" * 2000},
        ),
        original="400, for more than 1000 characters",
        status=201,
        reason="A certificate or a join command has to fit in.",
    ),
]
