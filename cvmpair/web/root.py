"""
What is served: the API below ``/api/``, the page everywhere else.
"""

from attrs import define
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource
from zope.interface import implementer


@implementer(IResource)
@define(eq=False)
class Root:
    """
    The root of the site.
    """

    isLeaf = True

    api: IResource
    page: IResource

    def getChildWithDefault(self, name: bytes, request: IRequest) -> IResource:
        """
        Never called, because this is a leaf.
        """
        raise LookupError(name)

    def putChild(self, path: bytes, child: IResource) -> None:
        """
        Refuse: what is served is decided here.
        """
        raise LookupError(path)

    def render(self, request: IRequest) -> object:
        """
        Hand the request on.
        """
        chosen = self.api if request.path.startswith(b"/api/") else self.page
        return chosen.render(request)
