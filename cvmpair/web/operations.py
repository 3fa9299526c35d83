"""
What each operation of the API takes and answers, for the document that
:mod:`cvmpair.web.openapi` makes of it.
"""

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from cvmpair.core import errors as domain
from cvmpair.web import errors as http
from cvmpair.web.negotiation import JSON, TEXT

# As in api.py, which serves what is made of this; a test compares the two.
_CLUSTERS: Final = "/api/v1/clusters"
_CLUSTER: Final = f"{_CLUSTERS}/<pin>"
_KEYS: Final = f"{_CLUSTER}/keys"
_KEY: Final = f"{_KEYS}/<name>"
_TOKENS: Final = f"{_CLUSTER}/tokens"
_TOKEN: Final = f"{_TOKENS}/<token_id>"

Problems = tuple[type[Exception], ...]

EVERYWHERE: Final[Problems] = (
    http.BadRequest,
    http.NoSuchResource,
    http.RequestTimeout,
    http.ContentTooLarge,
    # The connection itself may be one too many.
    domain.TooManyRequests,
    http.HeadersTooLarge,
    http.InternalError,
    domain.Overloaded,
)
"""What can be wrong with any request."""

_IN_A_CLUSTER: Final[Problems] = (
    http.CrossSite,
    domain.ClusterNotFound,
    domain.ClusterGone,
    domain.TokenMalformed,
    domain.TokenNeeded,
    domain.TokenInsufficient,
)
_READING: Final[Problems] = (
    *_IN_A_CLUSTER,
    http.NotAcceptable,
    domain.ConditionFailed,
    domain.StoreUnavailable,
    domain.TooManyWaiters,
    domain.Stopping,
)
_DELETING: Final[Problems] = (
    *_IN_A_CLUSTER,
    domain.ConditionFailed,
    domain.StoreUnavailable,
)
_TAKING_A_BODY: Final[Problems] = (
    domain.InvalidFields,
    http.NotAcceptable,
    http.UnsupportedMediaType,
    domain.StoreUnavailable,
)
_CHANGING: Final[Problems] = (
    *_TAKING_A_BODY,
    *_IN_A_CLUSTER,
    domain.KeyNotFound,
    domain.KeyExists,
    domain.ConditionFailed,
)
_CONDITIONS: Final = ("If-Match", "If-None-Match")


@frozen(kw_only=True)
class Operation:
    """
    One method of one resource.

    :ivar path: as it is routed.
    :ivar name: by which programs made from the document call it.
    :ivar headers: the headers of the request that mean something to it.
    :ivar body: the name of the schema of the body that it takes, if it takes one.
    :ivar must: whether there has to be a body.
    :ivar status: of its success.
    :ivar content: the media types of what it answers, by the names of their schemas.
    :ivar told: the headers that come with a success.
    :ivar problems: what can go wrong but for :data:`EVERYWHERE`.
    """

    path: str
    method: str
    name: str
    summary: str
    headers: tuple[str, ...] = ()
    body: str | None = None
    must: bool = True
    status: int = 200
    content: Mapping[str, str]
    told: tuple[str, ...] = ()
    problems: Problems


_STATE: Final = ("ETag", "Vary", "Cache-Control")

OPERATIONS: Final = (
    Operation(
        path="/api/v1/openapi.json",
        method="GET",
        name="getDescription",
        summary="This document.",
        content={"Document": JSON},
        told=("ETag", "Cache-Control"),
        problems=(http.NotAcceptable,),
    ),
    Operation(
        path=_CLUSTERS,
        method="POST",
        name="createCluster",
        summary="Create a cluster, which has a new PIN.",
        body="NewCluster",
        must=False,
        status=201,
        content={"CreatedCluster": JSON},
        told=("Location", *_STATE),
        problems=(
            *_TAKING_A_BODY,
            http.CrossSite,
            http.ProtectionRequired,
            domain.TooManyClusters,
        ),
    ),
    Operation(
        path=_CLUSTER,
        method="GET",
        name="getCluster",
        summary="Tell when a cluster was created and expires.",
        headers=(*_CONDITIONS, "Prefer"),
        content={"Cluster": JSON},
        told=_STATE,
        problems=_READING,
    ),
    Operation(
        path=_CLUSTER,
        method="DELETE",
        name="deleteCluster",
        summary="Delete a cluster with all its keys.",
        headers=_CONDITIONS,
        status=204,
        content={},
        problems=_DELETING,
    ),
    Operation(
        path=_KEYS,
        method="GET",
        name="getKeys",
        summary="Return all keys of a cluster, in the order of their creation.",
        headers=(*_CONDITIONS, "Prefer"),
        content={"Keys": JSON},
        told=_STATE,
        problems=_READING,
    ),
    Operation(
        path=_KEYS,
        method="POST",
        name="addKey",
        summary="Add a key, unless there is one of its name: the first one wins.",
        headers=_CONDITIONS,
        body="NewKey",
        status=201,
        content={"Key": JSON},
        told=("Location", *_STATE),
        problems=(
            *_TAKING_A_BODY,
            *_IN_A_CLUSTER,
            domain.KeyExists,
            domain.ConditionFailed,
            domain.TooManyKeys,
        ),
    ),
    Operation(
        path=_KEY,
        method="GET",
        name="getKey",
        summary="Return a key; with Prefer: wait=SECONDS, as soon as it is there.",
        headers=(*_CONDITIONS, "Prefer"),
        content={"KeyLine": TEXT, "Key": JSON},
        told=_STATE,
        problems=(domain.KeyNotFound, *_READING),
    ),
    Operation(
        path=_KEY,
        method="PUT",
        name="putKey",
        summary="Give a key a new value, or another name as well.",
        headers=_CONDITIONS,
        body="NewKey",
        content={"KeyLine": TEXT, "Key": JSON},
        told=_STATE,
        problems=_CHANGING,
    ),
    Operation(
        path=_KEY,
        method="PATCH",
        name="patchKey",
        summary="Give a key a new value, another name, or both.",
        headers=_CONDITIONS,
        body="KeyChange",
        content={"KeyLine": TEXT, "Key": JSON},
        told=_STATE,
        problems=_CHANGING,
    ),
    Operation(
        path=_KEY,
        method="DELETE",
        name="deleteKey",
        summary="Delete a key.",
        headers=_CONDITIONS,
        status=204,
        content={},
        problems=(domain.KeyNotFound, *_DELETING),
    ),
    Operation(
        path=_TOKENS,
        method="GET",
        name="getTokens",
        summary="Return the tokens of a protected cluster, without their secrets.",
        headers=(*_CONDITIONS, "Prefer"),
        content={"Tokens": JSON},
        told=_STATE,
        problems=(domain.NotProtected, *_READING),
    ),
    Operation(
        path=_TOKENS,
        method="POST",
        name="addToken",
        summary="Make a token, which is told only now.",
        headers=_CONDITIONS,
        body="NewToken",
        status=201,
        content={"CreatedToken": JSON},
        told=("Location", *_STATE),
        problems=(
            *_TAKING_A_BODY,
            *_IN_A_CLUSTER,
            domain.NotProtected,
            domain.ConditionFailed,
            domain.TooManyTokens,
        ),
    ),
    Operation(
        path=_TOKEN,
        method="DELETE",
        name="revokeToken",
        summary="Revoke a token.",
        headers=_CONDITIONS,
        status=204,
        content={},
        problems=(domain.TokenNotFound, domain.NotProtected, *_DELETING),
    ),
)
"""All that there are, but for ``HEAD`` and ``OPTIONS``, which follow from these."""
