"""
The resources of the API: parse, ask the store, render. No rules live here.
"""

from collections.abc import Callable
from typing import Final

from attrs import define
from klein import Klein, Response

from cvmpair.core.errors import PairingError
from cvmpair.core.model import Cluster, Scope
from cvmpair.core.packing import is_protected
from cvmpair.stores.protocol import ClusterStore
from cvmpair.web.authorization import access_of
from cvmpair.web.bodies import read_fields
from cvmpair.web.fields import key_fields, protected_field, token_fields
from cvmpair.web.negotiation import JSON, TEXT
from cvmpair.web.openapi import document
from cvmpair.web.preconditions import condition_of
from cvmpair.web.problems import register_problems
from cvmpair.web.reading import ClusterReading, KeyReading
from cvmpair.web.rendering import (
    answer_new_key,
    answer_new_token,
    created,
    render_cluster,
    render_key,
    render_keys,
    render_tokens,
)
from cvmpair.web.request import PairingRequest
from cvmpair.web.routing import accepted, answers
from cvmpair.web.static import Asset, asset_response
from cvmpair.web.waiting import Waiting

CLUSTERS: Final = "/api/v1/clusters"
CLUSTER: Final = f"{CLUSTERS}/<pin>"
KEYS: Final = f"{CLUSTER}/keys"
KEY: Final = f"{KEYS}/<name>"
TOKENS: Final = f"{CLUSTER}/tokens"
TOKEN: Final = f"{TOKENS}/<token_id>"
OPENAPI: Final = "/api/v1/openapi.json"

_DESCRIPTION: Final = Asset(JSON, document())


@define(eq=False)
class PairingAPI:
    """
    The API over a store.

    :ivar require_protected: whether no cluster is made that is not protected.
    """

    app = Klein()
    register_problems(app)

    store: ClusterStore
    waiting: Waiting
    require_protected: bool = False

    def is_proven(self, request: PairingRequest, pin: str) -> bool:
        """
        Say whether a request shows a token of the very cluster that it names, which
        nobody can guess.
        """
        packed = self.store.packed(pin)
        if packed is None or not is_protected(packed):
            # There what is shown is worth nothing.
            return False
        try:
            self.store.check_access(packed, access_of(request, "read"))
        except PairingError:
            return False
        return True

    @answers(app, OPENAPI, "GET")
    async def get_description(self, request: PairingRequest) -> Response:
        accepted(request, JSON)
        return asset_response(request, _DESCRIPTION)

    @answers(app, CLUSTERS, "POST")
    async def create_cluster(self, request: PairingRequest) -> Response:
        accepted(request, JSON)
        fields = read_fields(request) if request.has_body() else {}
        protected = protected_field(fields, required=self.require_protected)
        request.guard.count_creation(request.asker)
        tokens = None
        if protected:
            cluster, tokens = await self.store.create_protected()
        else:
            cluster = await self.store.create()
        request.pin = cluster.pin
        response = render_cluster(cluster, self.store.wall_time, tokens)
        return created(response, f"{CLUSTERS}/{cluster.pin}")

    @answers(app, CLUSTER, "GET")
    async def get_cluster(self, request: PairingRequest, pin: str) -> Response:
        accepted(request, JSON)
        return await self._read_cluster(request, pin, self._render_cluster)

    @answers(app, CLUSTER, "DELETE")
    async def delete_cluster(self, request: PairingRequest, pin: str) -> Response:
        access = access_of(request, "admin")
        await self.store.delete(pin, condition_of(request), access)
        return Response(204)

    @answers(app, KEYS, "GET")
    async def get_keys(self, request: PairingRequest, pin: str) -> Response:
        accepted(request, JSON)
        # Of all answers only this one can be large.
        request.check_room(len(self.store.packed(pin) or ""))
        return await self._read_cluster(request, pin, render_keys)

    @answers(app, KEYS, "POST")
    async def add_key(self, request: PairingRequest, pin: str) -> Response:
        accepted(request, JSON)
        condition = condition_of(request)
        fields = key_fields(read_fields(request))
        access = access_of(request, "write")
        key = await self.store.add_key(
            pin, fields["key"], fields["value"], condition, access
        )
        return answer_new_key(key, f"{CLUSTERS}/{pin}/keys")

    @answers(app, KEY, "GET")
    async def get_key(self, request: PairingRequest, pin: str, name: str) -> Response:
        media_type = accepted(request, TEXT, JSON)
        reading = KeyReading(
            pin=pin,
            name=name,
            media_type=media_type,
            condition=condition_of(request),
        )
        access = access_of(request, "read")
        return await self.waiting.answer(request, reading, access)

    @answers(app, KEY, "PUT")
    async def put_key(self, request: PairingRequest, pin: str, name: str) -> Response:
        return await self._change_key(request, pin, name, partial=False)

    @answers(app, KEY, "PATCH")
    async def patch_key(self, request: PairingRequest, pin: str, name: str) -> Response:
        return await self._change_key(request, pin, name, partial=True)

    @answers(app, KEY, "DELETE")
    async def delete_key(
        self, request: PairingRequest, pin: str, name: str
    ) -> Response:
        access = access_of(request, "write")
        await self.store.delete_key(pin, name, condition_of(request), access)
        return Response(204)

    @answers(app, TOKENS, "GET")
    async def get_tokens(self, request: PairingRequest, pin: str) -> Response:
        accepted(request, JSON)
        return await self._read_cluster(request, pin, self._render_tokens, "admin")

    @answers(app, TOKENS, "POST")
    async def add_token(self, request: PairingRequest, pin: str) -> Response:
        accepted(request, JSON)
        condition = condition_of(request)
        scope, lifetime = token_fields(read_fields(request))
        access = access_of(request, "admin")
        cluster, token, text = await self.store.add_token(
            pin, scope, lifetime, condition, access
        )
        path = f"{CLUSTERS}/{pin}/tokens"
        return answer_new_token(cluster, token, text, self.store.wall_time, path)

    @answers(app, TOKEN, "DELETE")
    async def revoke_token(
        self, request: PairingRequest, pin: str, token_id: str
    ) -> Response:
        access = access_of(request, "admin")
        await self.store.revoke_token(pin, token_id, condition_of(request), access)
        return Response(204)

    async def _read_cluster(
        self,
        request: PairingRequest,
        pin: str,
        render: Callable[[Cluster], Response],
        scope: Scope = "read",
    ) -> Response:
        reading = ClusterReading(
            pin=pin, condition=condition_of(request), render=render
        )
        access = access_of(request, scope)
        return await self.waiting.answer(request, reading, access)

    async def _change_key(
        self, request: PairingRequest, pin: str, name: str, *, partial: bool
    ) -> Response:
        media_type = accepted(request, TEXT, JSON)
        condition = condition_of(request)
        fields = key_fields(read_fields(request), partial=partial)
        key = await self.store.change_key(
            pin,
            name,
            new_name=fields.get("key"),
            value=fields.get("value"),
            condition=condition,
            access=access_of(request, "write"),
        )
        return render_key(key, media_type)

    def _render_cluster(self, cluster: Cluster) -> Response:
        return render_cluster(cluster, self.store.wall_time)

    def _render_tokens(self, cluster: Cluster) -> Response:
        return render_tokens(cluster, self.store.wall_time)
