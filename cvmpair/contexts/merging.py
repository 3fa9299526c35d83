"""
From a base and an assignment to the context of one machine, with exactly one block.
"""

import re
from email import message_from_bytes
from email.message import Message
from typing import Final

from attrs import evolve, field, frozen

from cvmpair.contexts.advice import advice
from cvmpair.contexts.block import Assignment, Carved, carve
from cvmpair.contexts.mime import (
    DEFAULT_TYPE,
    UCERNVM,
    Multipart,
    Part,
    cloud_init_type,
    compose,
    content,
    read_message,
    type_of,
)
from cvmpair.contexts.unwrapping import unwrap
from cvmpair_agent.context.cluster import cluster_of
from cvmpair_agent.context.decoding import MAX_SIZE, decode
from cvmpair_agent.context.grammar import BEGIN, parse
from cvmpair_agent.errors import ContextWrong

NO_TEXT: Final = (
    "The base is no text in UTF-8, and neither gzip, nor base64, nor a MIME message."
)

_has_controls = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]").search


@frozen(kw_only=True)
class Context:
    """
    What a machine is to find as its user data.

    :ivar warnings: in words for people; nothing secret is in them.
    """

    data: bytes = field(repr=False)
    warnings: tuple[str, ...] = ()


def merge(base: bytes, assignment: Assignment, *, plain: bool, mime: bool) -> Context:
    """
    Put an assignment into a base.

    :param base: a text, a MIME message, or either in gzip or base64; may be empty.
    :param plain: never make a MIME message of a text; one that has to be is refused.
    :param mime: always make a MIME message of it. With neither, only of a base that
        needs it.
    :raises ContextWrong: if the base cannot be followed, or cannot take a block.
    """
    base = unwrap(base)
    message = read_message(base)
    if message is None:
        context = _into_text(base, assignment, plain=plain, mime=mime)
    elif (boundary := message.get_boundary()) and message.is_multipart():
        context = _into_multipart(base, boundary, assignment)
    else:
        carved = carve(_text(_payload(message)))
        kept = Part(type=message.get_content_type(), data=_bytes(carved.rest))
        context = _as_message(carved, [kept], assignment)
    return _checked(context, assignment)


def _into_text(
    base: bytes, assignment: Assignment, *, plain: bool, mime: bool
) -> Context:
    carved = carve(_text(base))
    rest = _bytes(carved.rest)
    kind = cloud_init_type(rest)
    # A script may well have an archive at its end.
    if kind is None and not _is_text(base):
        raise ContextWrong(NO_TEXT)
    if mime or (kind is not None and not plain):
        return _as_message(carved, [Part(type=type_of(rest), data=rest)], assignment)
    if kind is not None and carved.lines is None:
        raise ContextWrong(
            f"A block at the end of {kind} would break it: use --format mime."
        )
    lines = carve(_text(base.replace(b"\r\n", b"\n")))
    block = assignment.block(lines.lines or ())
    return Context(data=_bytes(lines.around(block)), warnings=carved.warnings)


def _as_message(carved: Carved, others: list[Part], assignment: Assignment) -> Context:
    # The block comes first: whatever stands in the others cannot hide it.
    block = Part(type=UCERNVM, data=_bytes(assignment.block(carved.lines or ())))
    others = [part for part in others if part.data.strip()]
    return Context(data=compose([block, *others]), warnings=carved.warnings)


def _into_multipart(base: bytes, boundary: str, assignment: Assignment) -> Context:
    cut = Multipart.cut(base, boundary)
    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    others: list[Part] = []
    kept: list[bytes] = []
    for raw in cut.parts:
        message = message_from_bytes(content(raw))
        payload = b"" if message.is_multipart() else unwrap(_payload(message))
        carved = carve(_text(payload))
        if carved.lines is None:
            kept.append(raw)
            continue
        lines = lines or carved.lines
        warnings += carved.warnings
        rest = _bytes(carved.rest)
        if rest.strip():
            others.append(Part(type=_type_beside(message, rest), data=rest))
    block = Part(type=UCERNVM, data=_bytes(assignment.block(lines)))
    return Context(data=cut.with_parts([block, *others], kept), warnings=warnings)


def _type_beside(message: "Message[str, str]", rest: bytes) -> str:
    """
    Return the type of what stood beside a block in its part.
    """
    declared = message.get_content_type()
    if declared.startswith("text/") and declared not in {UCERNVM, DEFAULT_TYPE}:
        return declared
    return type_of(rest)


def _checked(context: Context, assignment: Assignment) -> Context:
    """
    Return a context with the warnings that it deserves, read as an agent will.
    """
    if len(context.data) > MAX_SIZE:
        raise ContextWrong(
            f"The context is larger than the {MAX_SIZE} bytes of agents."
        )
    text = decode(context.data)
    if [line.strip() for line in text.split("\n")].count(BEGIN) != 1:
        raise ContextWrong(
            "The base has a block where it cannot be replaced, such as in a message in "
            "a message; take it out first."
        )
    section = parse(text)
    cluster = None if section is None else cluster_of(section)
    if (
        section is None
        or cluster is None
        or (cluster.pin, cluster.role, cluster.token)
        != (assignment.pin, assignment.role, assignment.token)
        or assignment.fingerprint not in {None, cluster.fingerprint}
    ):
        raise ContextWrong("The base makes the block unreadable.")
    url = section.get("cvm_service_url")
    if cluster.token is not None and (url is None or not url.value):
        raise ContextWrong(
            f"No service URL is given, and {cluster.service_url} would be shown the "
            "token: name the service with --service-url."
        )
    warnings = context.warnings + cluster.warnings
    return evolve(context, warnings=warnings + advice(text, section, cluster))


def _payload(message: "Message[str, str]") -> bytes:
    payload = message.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _is_text(data: bytes) -> bool:
    """
    Say whether it can be text; that may be in Latin-1, of which agents read the rest.
    """
    if b"\0" in data:
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return _has_controls(data) is None
    return True


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
