"""
What is served: the API below ``/api/``, the page everywhere else.
"""

from attrs import define
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource


@define(eq=False, slots=False)
class Root(Resource):
    """
    The root of the site.
    """

    isLeaf = True

    api: IResource
    page: IResource

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def render(self, request: IRequest) -> object:
        """
        Hand the request on.
        """
        chosen = self.api if request.path.startswith(b"/api/") else self.page
        return chosen.render(request)
