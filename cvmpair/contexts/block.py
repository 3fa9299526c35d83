"""
The ``ucernvm`` block of a context: taken out of a text, and written anew.

What is written here is read by CernVM's ``parse_user_data.cc`` as well, which knows
neither blanks around the markers nor carriage returns, and sourced by a shell after
that. So the block is plain, and what goes into it needs no quotes.
"""

import re
from typing import Final

from attrs import field, frozen

from cvmpair.core.names import PIN_LENGTH, is_pin, is_token
from cvmpair_agent.context.cluster import Role
from cvmpair_agent.context.grammar import BEGIN, END
from cvmpair_agent.context.service_url import check_service_url
from cvmpair_agent.errors import ContextWrong

LONGEST_SHOWN: Final = 80
"""How much of a wrong URL is shown, in characters; a longer one is none for people."""

_is_service_url = re.compile(
    r"https?://[A-Za-z0-9.\-:\[\]]+(/[A-Za-z0-9._~%/\-]*)?"
).fullmatch


def service_url(text: str, *, is_shown: bool = False) -> str:
    """
    Return the base URL of a service, without a slash at its end.

    :param is_shown: whether an error may show what it was, if that looks like no
        secret.
    :raises ContextWrong: if it is none, or one that a shell would not take as it is.
    """
    shown = _shown(text) if is_shown else ""
    if not _is_service_url(text):
        raise ContextWrong(
            f"The service URL{shown} must begin with https:// or http://, then "
            "a host, and perhaps a port and a plain path."
        )
    try:
        return check_service_url(text)
    except ValueError as error:
        raise ContextWrong(f"The service URL{shown} {error}.") from None


def _shown(text: str) -> str:
    # What is in its place by mistake, or before an @, may be a secret.
    is_secret = is_pin(text.strip()) or is_token(text.strip()) or "@" in text
    return "" if is_secret or len(text) > LONGEST_SHOWN else f" {text!r}"


def pin(text: str) -> str:
    """
    Return a PIN without the white space around it.

    :raises ContextWrong: if it is none; the text does not say what it was.
    """
    word = text.strip()
    if not is_pin(word):
        raise ContextWrong(
            f"This is not a PIN: it has {PIN_LENGTH} lower-case letters and digits."
        )
    return word


@frozen(kw_only=True)
class Assignment:
    """
    What a machine is told about its cluster.

    :ivar service_url: None leaves the one of the base, or the agents' default.
    :ivar token: None if the cluster is not protected.
    :ivar fingerprint: of the server; None leaves the one of the base.
    """

    pin: str = field(repr=False)
    role: Role
    service_url: str | None = None
    token: str | None = field(default=None, repr=False)
    fingerprint: str | None = None

    def replaces(self, line: str) -> bool:
        """
        Say whether a line of an existing block must make way.
        """
        key = line.partition("=")[0].strip().lower()
        return (
            key in {"cvm_cluster_pin", "cvm_cluster_master", "cvm_cluster_token"}
            or (key == "cvm_service_url" and self.service_url is not None)
            or (key == "cvm_service_fingerprint" and self.fingerprint is not None)
        )

    def block(self, others: tuple[str, ...] = ()) -> str:
        """
        Return the block, with the lines of another that do not contradict it.
        """
        lines = [BEGIN, f"cvm_cluster_pin={self.pin}"]
        if self.role is Role.MASTER:
            lines.append("cvm_cluster_master=yes")
        if self.token is not None:
            lines.append(f"cvm_cluster_token={self.token}")
        if self.service_url is not None:
            lines.append(f"cvm_service_url={self.service_url}")
        if self.fingerprint is not None:
            lines.append(f"cvm_service_fingerprint={self.fingerprint}")
        lines += [line for line in others if not self.replaces(line)]
        return "\n".join([*lines, END, ""])


@frozen(kw_only=True)
class Carved:
    """
    A text without its block.

    :ivar before: the text up to the block; all of it, if there is none.
    :ivar lines: the lines between the markers, or None without a block.
    :ivar warnings: in words for people.
    """

    before: str = field(repr=False)
    lines: tuple[str, ...] | None = field(repr=False)
    after: str = field(default="", repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def rest(self) -> str:
        """
        What is left of the text.
        """
        return self.before + self.after

    def around(self, block: str) -> str:
        """
        Return the text with a block where its own was, or at its end; with a newline
        at the end of each line.
        """
        before, after = _with_newline(self.before), _with_newline(self.after)
        return before + block + after


WITHOUT_END: Final = (
    f"The block of the base has no {END}: all after {BEGIN} is taken to be in it."
)
MORE_BLOCKS: Final = (
    "The base has more than one block; only the first is read anywhere, and the others "
    "are left out."
)


def carve(text: str) -> Carved:
    """
    Take the block out of a text.

    More blocks, which no reader minds, and end markers without a beginning, at which
    the original parser stops for good, are left out.
    """
    before: list[str] = []
    block: list[str] = []
    after: list[str] = []
    blocks, inside = 0, False
    for line in _lines(text):
        mark = line.strip()
        if mark == BEGIN and not inside:
            blocks, inside = blocks + 1, True
        elif mark == END:
            inside = False
        elif not inside:
            (after if blocks else before).append(line)
        elif blocks == 1 and mark != BEGIN:
            block.append(mark)
    return Carved(
        before="".join(before),
        lines=tuple(block) if blocks else None,
        after="".join(after),
        warnings=(WITHOUT_END,) * inside + (MORE_BLOCKS,) * (blocks > 1),
    )


def _lines(text: str) -> list[str]:
    """
    Return the lines with their newlines; :meth:`str.splitlines` knows other breaks.
    """
    *lines, last = text.split("\n")
    return [f"{line}\n" for line in lines] + [last] * bool(last)


def _with_newline(text: str) -> str:
    return f"{text}\n" if text and not text.endswith("\n") else text
