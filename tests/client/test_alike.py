"""
``cvmpair doctor`` trusts the servers that the agent trusts, and no others.
"""

from datetime import timedelta

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from cvmpair.client.errors import ClientError
from cvmpair.facts.service import ServiceProbe
from tests.client.asking import FOUND, Serve, ask
from tests.client.authority import AUTHORITY, DAY, fingerprint_of

OTHER = f"sha256:{'0f' * 32}"

CASES = {
    "good": ("localhost", DAY, True, None, True),
    "unknown authority": ("localhost", DAY, False, None, False),
    "wrong name": ("other.example", DAY, True, None, False),
    "expired": ("localhost", -DAY / 2, True, None, False),
    "pinned": ("other.example", -DAY / 2, False, "own", True),
    "wrong pin": ("localhost", DAY, True, OTHER, False),
}
"""The server's name, its end, whether its authority is known, the pin, the verdict."""


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("case", CASES)
async def test_both_judge_alike(serve: Serve, ca_file: str, case: str) -> None:
    name, end, is_known, pinned, trusted = CASES[case]
    tls = AUTHORITY.issue(name, begin=-DAY - timedelta(hours=1), end=end)
    own = fingerprint_of(tls.certificate.to_cryptography())
    pinned = own if pinned == "own" else pinned
    file = ca_file if is_known else None
    url = f"https://localhost:{serve(FOUND, tls)}"
    said = ""
    try:
        assert await ask(url, file, pinned=pinned)
    except ClientError as error:
        said = str(error)
    assert (said == "") == trusted
    probe = ServiceProbe(url, file, pinned)
    facts = await deferToThread(lambda: probe.facts(trial=False))
    assert facts.problem == ""
    assert facts.certificate is not None
    assert facts.certificate.fingerprint == own
    assert (facts.certificate.problem == "") == trusted
    assert facts.certificate.problem in said
