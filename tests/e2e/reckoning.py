"""
What one writer was told, against what the daemon knows after a crash.

A writer has its clusters for itself and asks for one change after the other. So
what is found must be its state after some number of its changes: at least all
those that had to be durable, and all of each other change before the last that
is found.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf

from attrs import define

Keys = Mapping[str, str]
State = Mapping[str, Keys]
"""The keys of each cluster that exists, by PIN."""


@define(kw_only=True)
class Change:
    """
    One change that a writer asked for.

    :ivar name: of the key that it is about; ``None`` for the whole cluster.
    :ivar value: what the key has afterwards, ``None`` if it is deleted. For a
        cluster any text, or ``None``.
    :ivar told: when a client was first told that it happened, in monotonic
        seconds; ``None`` if none was.
    """

    pin: str
    name: str | None
    value: str | None
    told: float | None = None

    def applied(self, keys: Keys | None) -> Keys | None:
        """
        Return what the cluster is afterwards; ``None`` if it does not exist.
        """
        if self.name is None:
            return None if self.value is None else {}
        assert keys is not None, "a key was changed in a cluster that does not exist"
        others = {name: value for name, value in keys.items() if name != self.name}
        return others if self.value is None else {**others, self.name: self.value}


def reckon(
    before: State,
    changes: Sequence[Change],
    found: Mapping[str, Keys | None],
    due: float = inf,
) -> list[str]:
    """
    Say what is wrong with what was found.

    :param before: the state at the beginning.
    :param changes: all that the writer asked for since then, in its order.
    :param found: each cluster that was looked at, ``None`` if it was not there.
    :param due: what a client was told of until then has to be there.

    :return: one line for each fault; none if all is well.
    """
    required = max(
        (
            number
            for number, change in enumerate(changes, 1)
            if change.told is not None and change.told <= due
        ),
        default=0,
    )
    now: dict[str, Keys | None] = {pin: before.get(pin) for pin in found}
    wrong = {pin for pin, keys in found.items() if now[pin] != keys}
    possible: dict[str, list[Keys | None]] = {}
    for number in range(len(changes) + 1):
        if number:
            change = changes[number - 1]
            keys = now[change.pin] = change.applied(now.get(change.pin))
            if change.pin in found:
                wrong.discard(change.pin)
                if keys != found[change.pin]:
                    wrong.add(change.pin)
        if number == required:
            if not wrong:
                return []
            possible = {pin: [keys] for pin, keys in now.items()}
        elif number > required:
            if not wrong:
                return []
            possible[changes[number - 1].pin].append(now[changes[number - 1].pin])
    faults = [
        f"cluster {pin}: {fault}"
        for pin, keys in found.items()
        if keys not in possible[pin]
        for fault in _faults(possible[pin], keys)
    ]
    return faults or ["each cluster could be so, but not all at the same moment"]


def _faults(possible: Sequence[Keys | None], found: Keys | None) -> Iterator[str]:
    if found is None:
        yield "lost"
    elif all(keys is None for keys in possible):
        yield "back after it was deleted"
    else:
        yield from _key_faults([keys for keys in possible if keys is not None], found)


def _key_faults(possible: Sequence[Keys], found: Keys) -> Iterator[str]:
    names: Iterable[str] = dict.fromkeys(
        [*found, *(n for keys in possible for n in keys)]
    )
    count = 0
    for name in names:
        values = [keys.get(name) for keys in possible]
        value = found.get(name)
        if value in values:
            continue
        count += 1
        if value is None:
            yield f"key {name} lost"
        elif all(expected is None for expected in values):
            yield f"key {name} back after it was deleted"
        else:
            yield f"key {name} has another value than the last one"
    if not count:
        yield "each key could be so, but not all at the same moment"
