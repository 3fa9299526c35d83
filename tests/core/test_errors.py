import inspect

import pytest

from cvmpair.core import errors
from cvmpair.core.errors import (
    ClusterGone,
    ClusterNotFound,
    ConditionFailed,
    InvalidFields,
    KeyExists,
    KeyNotFound,
    NotProtected,
    Overloaded,
    PairingError,
    Stopping,
    StoreUnavailable,
    TokenInsufficient,
    TokenMalformed,
    TokenNeeded,
    TokenNotFound,
    TooManyClusters,
    TooManyKeys,
    TooManyRequests,
    TooManyTokens,
    TooManyWaiters,
)

ALL = [
    ClusterNotFound(),
    ClusterGone("deleted", 1e9),
    KeyNotFound(),
    KeyExists(),
    ConditionFailed(),
    InvalidFields({"value": ["This field is required."]}),
    TooManyKeys(64),
    TooManyClusters(1000, retry_after=2.5),
    StoreUnavailable(60.0),
    TooManyWaiters(20_000, retry_after=30.0),
    *[Overloaded(limit) for limit in ("descriptors", "unsent")],
    Stopping(),
    TokenNeeded(shown=False),
    TokenNeeded(shown=True),
    TokenMalformed(),
    TokenInsufficient("write"),
    TokenNotFound(),
    NotProtected(),
    TooManyTokens(64),
    *[
        TooManyRequests(limit, retry_after=1.5)
        for limit in ("guesses", "creations", "connections", "waiters")
    ],
]


def test_these_are_all() -> None:
    family = {
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, PairingError) and kind is not PairingError
    }
    assert family == {type(error) for error in ALL}


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
def test_each_says_what_to_do_and_keeps_its_text(error: PairingError) -> None:
    text = str(error)
    assert text.endswith(".")
    assert "\n" not in text
    assert "  " not in text


def test_the_data_they_carry() -> None:
    fields = {"key": ["This field is required."]}
    assert InvalidFields(fields).errors == fields
    assert TooManyKeys(64).limit == 64
    assert "64 keys" in str(TooManyKeys(64))
    assert "--max-keys" in str(TooManyKeys(64))
    full = TooManyClusters(1000, retry_after=2.5)
    assert (full.limit, full.retry_after) == (1000, 2.5)
    assert "1000 clusters" in str(full)
    assert "--max-clusters" in str(full)
    assert StoreUnavailable(60.0).retry_after == 60.0
    waiters = TooManyWaiters(20_000, retry_after=30.0)
    assert (waiters.limit, waiters.retry_after) == (20_000, 30.0)
    assert "20000 waiting" in str(waiters)
    assert "--max-waiters" in str(waiters)
    assert Overloaded("descriptors").limit == "descriptors"
    assert Overloaded("unsent").retry_after > 0
    assert Stopping().retry_after > 0
    assert TokenInsufficient("write").needed == "write"
    assert "scope write" in str(TokenInsufficient("write"))
    assert TooManyTokens(64).limit == 64
    assert "64 tokens" in str(TooManyTokens(64))
    guesses = TooManyRequests("guesses", retry_after=1.5)
    assert (guesses.limit, guesses.retry_after) == ("guesses", 1.5)
    assert "--max-guesses" in str(guesses)


def test_the_text_of_wrong_fields_is_not_repeated() -> None:
    assert "sesame" not in str(InvalidFields({"key": ["sesame"]}))
