"""
Those who do not read are cut in turns between which others are served.
"""

from attrs import define
from twisted.internet.task import Clock

from cvmpair.web.unsent import AT_ONCE, LOOK, PATIENCE, UnsentAnswers


@define(eq=False)
class Stuck:
    """
    A connection whose client reads nothing.
    """

    answers: UnsentAnswers
    connected: bool = True

    def unsent(self) -> int:
        assert self.connected
        return 1000

    def cut(self) -> None:
        self.connected = False
        self.answers.forget(self)


def crowd(answers: UnsentAnswers, size: int) -> list[Stuck]:
    stuck = [Stuck(answers) for _ in range(size)]
    for one in stuck:
        answers.watch(one)
    return stuck


def connected(stuck: list[Stuck]) -> int:
    return sum(one.connected for one in stuck)


def test_others_have_their_turn_while_many_are_cut(clock: Clock) -> None:
    answers = UnsentAnswers(clock=clock)
    stuck = crowd(answers, 2 * AT_ONCE + 1)
    seen: list[int] = []

    def look() -> None:
        seen.append(connected(stuck))
        if seen[-1]:
            clock.callLater(LOOK if seen[-1] == len(stuck) else 0, look)

    look()
    clock.pump([LOOK] * int(PATIENCE))
    assert seen[-3:] == [AT_ONCE + 1, 1, 0]
    assert answers.size == 0
    assert clock.getDelayedCalls() == []


def test_some_go_between_two_turns(clock: Clock) -> None:
    answers = UnsentAnswers(clock=clock)
    stuck = crowd(answers, 2 * AT_ONCE)
    gone: list[Stuck] = []

    def go() -> None:
        gone.extend(one for one in stuck if one.connected)
        for one in gone:
            one.cut()

    clock.callLater(PATIENCE, clock.callLater, 0, go)
    clock.pump([LOOK] * int(PATIENCE))
    assert len(gone) == AT_ONCE
    assert answers.size == 0
    assert clock.getDelayedCalls() == []
    one = crowd(answers, 1)[0]
    clock.pump([LOOK] * int(PATIENCE))
    assert not one.connected
    assert clock.getDelayedCalls() == []
