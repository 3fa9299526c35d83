"""
Values as answers.
"""

from collections.abc import Callable, Mapping
from json import JSONEncoder

from klein import Response

from cvmpair.core.errors import NotProtected
from cvmpair.core.model import ANY_STATE, Cluster, Condition, Key, Scope, Token
from cvmpair.core.timeline import rfc3339
from cvmpair.web.negotiation import JSON, TEXT
from cvmpair.web.preconditions import etag

# Without spaces, like the original: somebody reads it with sed.
encode = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def render_cluster(
    cluster: Cluster,
    wall_time: Callable[[float], float],
    tokens: Mapping[Scope, str] | None = None,
) -> Response:
    """
    Return a cluster without its keys.

    :param wall_time: from book time to seconds since the epoch.
    :param tokens: their texts, for the one who created it.
    """
    body: dict[str, object] = {
        "pin": cluster.pin,
        "creation_time": rfc3339(wall_time(cluster.created)),
        "expiration_time": rfc3339(wall_time(cluster.deadline)),
    }
    if cluster.tokens is not None:
        body["protected"] = True
    if tokens is not None:
        body["tokens"] = tokens
    return _success(encode(body), JSON, cluster.version)


def render_tokens(cluster: Cluster, wall_time: Callable[[float], float]) -> Response:
    """
    Return all tokens of a cluster, as far as they are known.

    :raises NotProtected: if it has none.
    """
    if cluster.tokens is None:
        raise NotProtected
    body = [_token(cluster, token, wall_time) for token in cluster.tokens]
    return _success(encode(body), JSON, cluster.version)


def answer_new_token(
    cluster: Cluster,
    token: Token,
    text: str,
    wall_time: Callable[[float], float],
    tokens_path: str,
) -> Response:
    """
    Return the answer to the POST that made a token.

    :param tokens_path: the path that it was sent to.
    """
    body = {**_token(cluster, token, wall_time), "token": text}
    response = _success(encode(body), JSON, cluster.version)
    return created(response, f"{tokens_path}/{token.id}")


def _token(
    cluster: Cluster, token: Token, wall_time: Callable[[float], float]
) -> dict[str, object]:
    expires = cluster.deadline if token.expires is None else token.expires
    return {
        "id": token.id,
        "scope": token.scope,
        "creation_time": rfc3339(wall_time(token.created)),
        "expiration_time": rfc3339(wall_time(min(expires, cluster.deadline))),
    }


def render_keys(cluster: Cluster) -> Response:
    """
    Return all keys of a cluster.
    """
    body = [{"key": key.name, "value": key.value} for key in cluster.keys]
    return _success(encode(body), JSON, cluster.version)


def render_key(key: Key, media_type: str) -> Response:
    """
    Return a key, as JSON or as the line that the original agents read.
    """
    if media_type == TEXT:
        body = f"{key.name}: {key.value}"
    else:
        body = encode({"key": key.name, "value": key.value})
    return _success(body, media_type, key.version)


def answer_new_key(key: Key, keys_path: str) -> Response:
    """
    Return the answer to the POST that added a key, whichever way it came.

    :param keys_path: the path that it was sent to.
    """
    return created(render_key(key, JSON), f"{keys_path}/{key.name}")


def created(response: Response, location: str) -> Response:
    """
    Add to the answer to a POST where the new resource is.
    """
    headers = {**response.headers, b"Location": location.encode()}
    return Response(201, headers, response.body)


def if_changed(condition: Condition, version: int, response: Response) -> Response:
    """
    Return the answer to a GET, or 304 if the client has it already.

    :raises ConditionFailed: if ``If-Match`` does not hold.
    """
    if condition is ANY_STATE:
        return response
    condition.check_match(version)
    if not condition.is_known(version):
        return response
    headers = dict(response.headers)
    del headers[b"Content-Type"], headers[b"Content-Length"]
    return Response(304, headers)


def _success(body: str, media_type: str, version: int) -> Response:
    content = body.encode()
    if media_type == TEXT:
        media_type = f"{TEXT}; charset=utf-8"
    return Response(
        200,
        {
            b"Content-Type": media_type.encode(),
            b"Content-Length": b"%d" % len(content),
            b"ETag": etag(version),
            b"Vary": b"Accept",
            # PINs and values are nothing for a cache to keep.
            b"Cache-Control": b"no-store",
        },
        content,
    )
