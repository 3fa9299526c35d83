"""
The ``ucernvm`` section of user data: ``key=value`` lines between two markers.

It is what CernVM's ``parse_user_data.cc`` reads, and what a shell made of it when
its output was sourced: blanks around keys, values and markers, carriage returns and
quotes do no harm here. Nothing is ever evaluated.
"""

import re
from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

BEGIN: Final = "[ucernvm-begin]"
END: Final = "[ucernvm-end]"

_is_key = re.compile(r"[A-Za-z][A-Za-z0-9_]*").fullmatch
_needs_no_quotes = re.compile(r"[A-Za-z0-9@%+=:,./_-]*").fullmatch
_active_in_double_quotes = re.compile(r'["$`\\!]').search


@frozen(kw_only=True)
class Entry:
    """
    One key and its value.

    :ivar key: in lower case.
    :ivar value: without the blanks around it and without its quotes. It may be secret.
    :ivar line: the number of its line in the decoded user data, from 1.
    :ivar quoted: whether the value stood in quotes.
    """

    key: str
    value: str = field(repr=False)
    line: int
    quoted: bool = False


@frozen(kw_only=True)
class Section:
    """
    What stands between the markers.

    :ivar entries: in their order, a key that is there twice twice.
    :ivar warnings: what was ignored, in words for people; no value is in them.
    :ivar begin: the number of the line of the first marker, from 1.
    :ivar end: the same of the last marker, or None if there is none.
    """

    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()
    begin: int
    end: int | None

    def get(self, key: str) -> Entry | None:
        """
        Return the entry of a key; the last, as for the shell, if there are several.
        """
        key = key.lower()
        return next((e for e in reversed(self.entries) if e.key == key), None)


def parse(text: str) -> Section | None:
    """
    Return the first section of a text, or None if there is none.

    A section without an end goes on to the end of the text.
    """
    lines = [line.strip() for line in text.split("\n")]
    if BEGIN not in lines:
        return None
    begin = lines.index(BEGIN)
    end = lines.index(END, begin) if END in lines[begin:] else None
    entries: list[Entry] = []
    warnings: list[str] = []
    seen: set[str] = set()
    for number, line in enumerate(lines[begin + 1 : end], begin + 2):
        if not line or line[0] in "#;":
            continue
        entry = _entry(line, number)
        if entry is None:
            warnings.append(f"Line {number} is not KEY=VALUE and is ignored.")
            continue
        if entry.key in seen:
            warnings.append(f"Line {number} sets {entry.key} again; the last counts.")
        seen.add(entry.key)
        entries.append(entry)
    if end is None:
        warnings.append(f"The section that begins in line {begin + 1} has no {END}.")
    elif BEGIN in lines[end:]:
        another = lines.index(BEGIN, end) + 1
        warnings.append(f"Line {another} begins another section, which is ignored.")
    return Section(
        entries=tuple(entries),
        warnings=tuple(warnings),
        begin=begin + 1,
        end=None if end is None else end + 1,
    )


def render(values: Mapping[str, str]) -> str:
    """
    Return a section with these keys, which older agents read as well.

    They source it in a shell, so a value is quoted if that would not take it as it is.

    :raises ValueError: if a key or value cannot be written so; the text names the key.
    """
    lines = [BEGIN]
    for key, value in values.items():
        if not _is_key(key):
            raise ValueError(f"{key!r} is not a key: letters, digits and underscores.")
        if "\n" in value:
            raise ValueError(f"The value of {key} has more than one line.")
        if not _needs_no_quotes(value):
            if "'" not in value:
                value = f"'{value}'"  # noqa: PLW2901
            elif not _active_in_double_quotes(value):
                value = f'"{value}"'  # noqa: PLW2901
            else:
                raise ValueError(
                    f"The value of {key} has characters that no quotes protect."
                )
        lines.append(f"{key}={value}")
    return "\n".join([*lines, END, ""])


def _entry(line: str, number: int) -> Entry | None:
    key, equals, value = line.partition("=")
    key, value = key.rstrip(), value.lstrip()
    if not equals or not _is_key(key):
        return None
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return Entry(
        key=key.lower(),
        value=value[1:-1] if quoted else value,
        line=number,
        quoted=quoted,
    )
