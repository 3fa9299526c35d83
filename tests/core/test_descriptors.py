"""
How many connections there may be in all.
"""

import pytest
from attrs import fields

from cvmpair.checks.limits import OTHER_FILES
from cvmpair.core.descriptors import OWN_FILES, Descriptors
from cvmpair.settings import Settings


@pytest.mark.parametrize("open_files", [1, 32, 40, 64, 256, 1024, 65536, 1 << 30])
def test_what_is_left_for_the_daemon(open_files: int) -> None:
    descriptors = Descriptors(open_files)
    assert descriptors.served >= 1
    assert descriptors.spare >= 1
    if open_files > OWN_FILES + 1:
        assert descriptors.served + descriptors.spare == open_files - OWN_FILES


def test_without_a_limit() -> None:
    descriptors = Descriptors()
    assert all(descriptors.enter(privileged=False) for _ in range(100_000))


def test_doctor_asks_for_enough() -> None:
    (waiters,) = [one.default for one in fields(Settings) if one.name == "max_waiters"]
    assert Descriptors(waiters + OTHER_FILES).served > waiters


def test_who_is_served_and_who_is_told_why_not() -> None:
    refused: list[str] = []
    descriptors = Descriptors(64, refused.append)
    assert (descriptors.served, descriptors.spare) == (28, 4)
    assert all(descriptors.enter(privileged=False) for _ in range(28))
    assert refused == []
    for _ in range(4):
        assert not descriptors.enter(privileged=False)
        assert not descriptors.are_exhausted
    assert not descriptors.enter(privileged=False)
    assert descriptors.are_exhausted
    assert not descriptors.enter(privileged=True)
    assert refused == ["descriptors"] * 6
    for _ in range(3):
        descriptors.leave(admitted=False)
    assert not descriptors.are_exhausted
    # Who is sent away takes nobody's place.
    descriptors.leave(admitted=True)
    assert descriptors.enter(privileged=False)
    assert not descriptors.enter(privileged=False)


def test_who_looks_after_it_is_served_longer() -> None:
    descriptors = Descriptors(64)
    assert all(descriptors.enter(privileged=False) for _ in range(28))
    assert all(descriptors.enter(privileged=True) for _ in range(4))
    assert not descriptors.enter(privileged=True)
    assert descriptors.are_exhausted
