"""
The section as variables of a shell, for scripts that source it.
"""

import shlex

from cvmpair_agent.context.grammar import Entry, Section

# As in CernVM's parse_user_data.cc; a value in quotes was left alone.
_BOOLEANS = {"yes": "1", "on": "1", "true": "1", "no": "0", "off": "0", "false": "0"}


def export(section: Section) -> str:
    """
    Return a line ``_UCONTEXT_KEY=value`` for each entry, quoted so that a shell only
    assigns it.

    Bytes that are not UTF-8 are lone surrogates in it: write it with
    ``surrogateescape``.
    """
    return "".join(
        f"_UCONTEXT_{entry.key.upper()}={shlex.quote(_value(entry))}\n"
        for entry in section.entries
    )


def _value(entry: Entry) -> str:
    if entry.quoted:
        return entry.value
    return _BOOLEANS.get(entry.value.lower(), entry.value)
