"""
What a GET asks for, and its answer: the one place where a state becomes an answer,
by whichever way the request came.
"""

from collections.abc import Callable
from typing import Protocol

from attrs import frozen
from klein import Response

from cvmpair.core.errors import KeyNotFound
from cvmpair.core.model import Cluster, Condition
from cvmpair.core.packing import Packed, find_key, unpack
from cvmpair.core.watchers import Question
from cvmpair.web.rendering import if_changed, render_key


class Reading(Protocol):
    """
    A GET of something in a cluster. Equal ones have equal answers.
    """

    @property
    def question(self) -> Question:
        """
        What whoever waits for another answer waits for.
        """

    @property
    def condition(self) -> Condition:
        """
        What the client demands, or knows already.
        """

    def answer(self, packed: Packed) -> Response:
        """
        Return the answer, from the cluster.

        :raises KeyNotFound: if it has no such key.
        :raises ConditionFailed: if ``If-Match`` does not hold.
        """


@frozen(kw_only=True)
class KeyReading:
    """
    A GET of one key.
    """

    pin: str
    name: str
    media_type: str
    condition: Condition

    @property
    def question(self) -> Question:
        return Question(
            pin=self.pin, name=self.name, known=_known_versions(self.condition)
        )

    def answer(self, packed: Packed) -> Response:
        return answer_key(packed, self.name, self.media_type, self.condition)


def answer_key(
    packed: Packed, name: str, media_type: str, condition: Condition
) -> Response:
    """
    Return the answer to a GET of one key, from the cluster.

    :raises: the errors of :meth:`Reading.answer`.
    """
    key = find_key(packed, name)
    if key is None:
        raise KeyNotFound
    return if_changed(condition, key.version, render_key(key, media_type))


@frozen(kw_only=True)
class ClusterReading:
    """
    A GET of a cluster as a whole.

    :ivar render: gives it one of its forms.
    """

    pin: str
    condition: Condition
    render: Callable[[Cluster], Response]

    @property
    def question(self) -> Question:
        return Question(pin=self.pin, known=_known_versions(self.condition))

    def answer(self, packed: Packed) -> Response:
        cluster = unpack(self.pin, packed)
        return if_changed(self.condition, cluster.version, self.render(cluster))


def _known_versions(condition: Condition) -> frozenset[int] | None:
    known = condition.none_match
    return None if known is None else frozenset(known)
