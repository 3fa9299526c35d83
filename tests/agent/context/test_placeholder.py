"""
The placeholder gives way to the address, and nothing else changes.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmpair_agent.context.placeholder import PLACEHOLDER, replace


@pytest.mark.parametrize("address", ["10.0.0.1", "2001:db8::1", r"a/b&c\1", r"\g<0>"])
def test_the_address_is_just_text(address: str) -> None:
    before = b"a ###MASTER_IP_PLACEHOLDER###:###MASTER_IP_PLACEHOLDER### b\n"
    assert replace(before, address) == f"a {address}:{address} b\n".encode()


@given(st.lists(st.binary().filter(lambda piece: b"#" not in piece)), st.text("/&\\1"))
def test_every_placeholder_and_nothing_else(pieces: list[bytes], address: str) -> None:
    assert replace(PLACEHOLDER.join(pieces), address) == address.encode().join(pieces)
