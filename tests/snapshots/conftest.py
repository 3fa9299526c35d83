"""
An export that is good.
"""

import io

import pytest

from cvmpair.snapshots.transfer import export_state
from tests.snapshots.states import MARK, lay_out, opened, put


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """
    An export of three clusters.
    """
    directory = lay_out(tmp_path_factory.mktemp("exported") / "state", {})
    state = opened(directory)
    state.write(put(7, 1, 2, 3), MARK)
    state.close()
    file = io.BytesIO()
    export_state(directory, file)
    return file.getvalue()
