import attrs
import pytest

from cvmpair.core.errors import ConditionFailed
from cvmpair.core.model import ANY_STATE, Cluster, Condition, Key, Limits

FIRST = Key(name="sesame_1", value="sesame one", version=11)
SECOND = Key(name="sesame_2", value="sesame two", version=12)
CLUSTER = Cluster(
    pin="abcdefghijkl", created=100.0, lifetime=60.5, version=12, keys=(FIRST, SECOND)
)


def test_deadline() -> None:
    assert CLUSTER.deadline == 160.5


def test_find() -> None:
    assert CLUSTER.find("sesame_2") is SECOND
    assert CLUSTER.find("sesame_3") is None


def test_a_replaced_key_keeps_its_place() -> None:
    new = Key(name="sesame_0", value="sesame", version=13)
    expected = attrs.evolve(CLUSTER, version=13, keys=(new, SECOND))
    assert CLUSTER.with_key_replaced(FIRST, new) == expected


def test_without_key() -> None:
    expected = attrs.evolve(CLUSTER, version=13, keys=(SECOND,))
    assert CLUSTER.without_key(FIRST, 13) == expected


@pytest.mark.parametrize("value", [FIRST, CLUSTER, ANY_STATE, Limits()])
def test_frozen(value: object) -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        value.version = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["clusters", "keys_per_cluster"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "1"])
def test_limits_are_whole_and_positive(name: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError), match=name):
        Limits(**{name: value})


@pytest.mark.parametrize(
    "condition",
    [
        ANY_STATE,
        Condition(match={17}),
        Condition(match={16, 17}),
        Condition(none_match={16, 18}),
        Condition(match={17}, none_match={16}),
    ],
)
def test_conditions_that_hold(condition: Condition) -> None:
    condition.check(17)


@pytest.mark.parametrize(
    "condition",
    [
        Condition(match=frozenset()),
        Condition(match={16, 18}),
        Condition(none_match={17}),
        Condition(none_match=None),
        Condition(match={17}, none_match={17}),
        Condition(match={17}, none_match=None),
    ],
)
def test_conditions_that_fail(condition: Condition) -> None:
    with pytest.raises(ConditionFailed):
        condition.check(17)
