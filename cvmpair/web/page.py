"""
The pages for people: create a PIN, and look up what a problem means.
"""

from typing import Final

from attrs import define
from klein import Klein, Response

from cvmpair.core.errors import PairingError
from cvmpair.stores.protocol import ClusterStore
from cvmpair.web.api import CLUSTERS
from cvmpair.web.bodies import read_form
from cvmpair.web.documents import HTML, CreatePin, NewPin, Problems, html
from cvmpair.web.errors import RequestError
from cvmpair.web.fields import protected_field
from cvmpair.web.origin import service_url
from cvmpair.web.problems import PROBLEM_TYPES, problem_headers, register_problems
from cvmpair.web.rendering import created
from cvmpair.web.request import PairingRequest
from cvmpair.web.routing import accepted, answers
from cvmpair.web.static import asset_response, find_asset

HOME: Final = "/"
PROBLEMS: Final = "/problems"
ASSET: Final = "/assets/<name>"


@define(eq=False)
class Page:
    """
    The pages over a store.

    :ivar require_protected: as for :class:`~cvmpair.web.api.PairingAPI`.
    """

    app = Klein()
    register_problems(app)

    store: ClusterStore
    require_protected: bool = False

    @answers(app, HOME, "GET")
    async def show_form(self, request: PairingRequest) -> Response:
        accepted(request, HTML)
        form = CreatePin(require_protected=self.require_protected)
        return await html("Create a PIN", form, secure=request.isSecure())

    @answers(app, HOME, "POST")
    async def create_pin(self, request: PairingRequest) -> Response:
        accepted(request, HTML)
        tokens = None
        try:
            protected = protected_field(
                read_form(request), required=self.require_protected
            )
            request.guard.count_creation(request.asker)
            if protected:
                cluster, tokens = await self.store.create_protected()
            else:
                cluster = await self.store.create()
        except (PairingError, RequestError) as error:
            # Whoever clicked sees the page, not a problem in JSON.
            return await html(
                "No PIN was created",
                CreatePin(error=str(error), require_protected=self.require_protected),
                secure=request.isSecure(),
                status=PROBLEM_TYPES[type(error)].status,
                headers=problem_headers(error),
            )
        request.pin = cluster.pin
        new = NewPin(
            pin=cluster.pin,
            url=service_url(request),
            deadline=self.store.wall_time(cluster.deadline),
            tokens=tokens,
        )
        page = await html(
            "Your PIN is ready",
            CreatePin(new, require_protected=self.require_protected),
            secure=request.isSecure(),
        )
        return created(page, f"{CLUSTERS}/{cluster.pin}")

    @answers(app, PROBLEMS, "GET")
    async def show_problems(self, request: PairingRequest) -> Response:
        accepted(request, HTML)
        title = "Problems and what to do"
        return await html(title, Problems(), secure=request.isSecure())

    @answers(app, ASSET, "GET")
    async def get_asset(self, request: PairingRequest, name: str) -> Response:
        return asset_response(request, find_asset(name))
