"""
The order in which sources are asked, from the words of ``--source-order``.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from cvmpair_agent.errors import ContextWrong
from cvmpair_agent.userdata.source import Kind

DEFAULT_ORDER: Final = tuple(kind.value for kind in Kind)
"""
What was said by hand, what cloud-init has already, then from the least invasive on, as
EGI's contextualisation page has it.
"""


def in_order(words: Sequence[str], kinds: Mapping[str, Kind]) -> list[str]:
    """
    Return the names of the sources to ask, each once; those not named are not asked.

    :param words: names of sources, and the words of kinds for all sources of a kind.
    :param kinds: the kind of each source by its name, in the order within a kind.
    :raises ContextWrong: if a word is neither.
    """
    names: dict[str, None] = {}
    for word in words:
        meant = [name for name, kind in kinds.items() if word in {name, kind.value}]
        if not meant and word not in DEFAULT_ORDER:
            raise ContextWrong(
                f"--source-order: there is no source {word!r}; there are "
                + ", ".join(dict.fromkeys([*DEFAULT_ORDER, *kinds]))
            )
        names.update(dict.fromkeys(meant))
    return list(names)
