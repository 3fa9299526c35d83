"""
The table of what each error means in HTTP.
"""

import json

import pytest

from cvmpair.core import errors as domain
from cvmpair.web import errors as http
from cvmpair.web.problems import PROBLEM_TYPES, problem

ERRORS = [
    http.BadRequest("Sesame."),
    http.NoSuchResource(),
    http.MethodNotAllowed("SESAME", ["GET", "OPTIONS"]),
    http.NotAcceptable(["text/plain", "application/json"]),
    http.RequestTimeout("body", 10.0),
    http.ContentTooLarge(65536),
    http.UnsupportedMediaType(),
    http.HeadersTooLarge(),
    http.InternalError(),
    domain.ClusterNotFound(),
    domain.ClusterGone("expired", 1e9 + 0.5),
    domain.KeyNotFound(),
    domain.KeyExists(),
    domain.ConditionFailed(),
    domain.InvalidFields({"key": ["Sesame."]}),
    domain.TooManyKeys(64),
    domain.TooManyClusters(1000, retry_after=1.5),
    domain.StoreUnavailable(retry_after=60.0),
    domain.TooManyWaiters(20_000, retry_after=30.0),
    domain.TooManyRequests("guesses", retry_after=1.5),
    domain.Overloaded("descriptors"),
    domain.Stopping(),
    domain.TokenNeeded(shown=False),
    domain.TokenMalformed(),
    domain.TokenInsufficient("write"),
    domain.TokenNotFound(),
    domain.NotProtected(),
    domain.TooManyTokens(64),
    http.ProtectionRequired(),
    http.CrossSite(),
]


def test_every_error_is_in_the_table() -> None:
    kinds = {
        *domain.PairingError.__subclasses__(),
        *http.RequestError.__subclasses__(),
    }
    assert set(PROBLEM_TYPES) == kinds == {type(error) for error in ERRORS}


def test_every_problem_has_a_name_of_its_own() -> None:
    names = [kind.name for kind in PROBLEM_TYPES.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_problem_in_json(error: Exception) -> None:
    kind = PROBLEM_TYPES[type(error)]
    response = problem(error, "*/*")
    document = json.loads(response.body)
    assert response.code == document.pop("status") == kind.status
    assert document.pop("title") == kind.title
    assert document.pop("type") == f"/problems#{kind.name}"
    assert document.pop("detail") == str(error)
    if isinstance(error, domain.InvalidFields):
        assert document.pop("errors") == error.errors
    if isinstance(error, domain.ClusterGone):
        assert document.pop("reason") == "expired"
        assert document.pop("ended") == "2001-09-09T01:46:40.500000Z"
        assert "expired at 2001-09-09T01:46:40Z" in str(error)
    if hasattr(error, "limit"):
        assert document.pop("limit") == error.limit
    assert document == {}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_problem_is_one_line_of_text(error: Exception) -> None:
    response = problem(error, "text/plain")
    assert response.headers[b"Content-Type"] == b"text/plain; charset=utf-8"
    (line,) = response.body.decode().splitlines(keepends=True)
    assert line.endswith(".\n")
    assert line.startswith(str(error))


@pytest.mark.parametrize(
    ("error", "header", "value"),
    [
        (domain.TooManyClusters(1000, retry_after=1.5), b"Retry-After", b"2"),
        (domain.StoreUnavailable(retry_after=60.0), b"Retry-After", b"60"),
        (domain.TooManyWaiters(20_000, retry_after=30.0), b"Retry-After", b"30"),
        (domain.TooManyRequests("waiters", 1.5), b"Retry-After", b"2"),
        (domain.Overloaded("unsent"), b"Retry-After", b"5"),
        (domain.Stopping(), b"Retry-After", b"2"),
        (http.MethodNotAllowed("SESAME", ["GET", "PUT"]), b"Allow", b"GET, PUT"),
        *[
            (error, b"WWW-Authenticate", f'Bearer realm="cvmpair"{words}'.encode())
            for error, words in (
                (domain.TokenNeeded(shown=False), ""),
                (domain.TokenNeeded(shown=True), ', error="invalid_token"'),
                (domain.TokenMalformed(), ', error="invalid_request"'),
                (
                    domain.TokenInsufficient("write"),
                    ', error="insufficient_scope", scope="write"',
                ),
            )
        ],
    ],
)
@pytest.mark.parametrize("accept", ["*/*", "text/plain"])
def test_headers(error: Exception, header: bytes, value: bytes, accept: str) -> None:
    assert problem(error, accept).headers[header] == value


def test_only_a_service_that_gets_better_says_when_to_ask_again() -> None:
    retried = {
        type(error)
        for error in ERRORS
        if b"Retry-After" in problem(error, "*/*").headers
    }
    assert retried == {
        domain.TooManyClusters,
        domain.StoreUnavailable,
        domain.TooManyWaiters,
        domain.TooManyRequests,
        domain.Overloaded,
        domain.Stopping,
    }
