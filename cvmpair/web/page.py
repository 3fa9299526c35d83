"""placeholder"""

from attrs import define
from klein import Klein

from cvmpair.stores.protocol import ClusterStore
from cvmpair.web.problems import register_problems


@define(eq=False)
class Page:
    app = Klein()
    register_problems(app)
    store: ClusterStore
