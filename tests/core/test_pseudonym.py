from hypothesis import given
from hypothesis import strategies as st

from cvmpair.core.names import PIN_ALPHABET, new_pin
from cvmpair.core.pseudonym import KEY_BYTES, Pseudonyms, new_pseudonym_key

PINS = st.text(PIN_ALPHABET, min_size=12, max_size=12)
KEYS = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)


@given(KEYS, PINS)
def test_ten_digits_that_last_as_long_as_the_key(key: bytes, pin: str) -> None:
    pseudonym = Pseudonyms(key).of(pin)
    assert len(pseudonym) == 10
    assert set(pseudonym) <= set("0123456789abcdef")
    assert Pseudonyms(key).of(pin) == pseudonym


def test_another_key_gives_another_id() -> None:
    pin = new_pin()
    ids = {Pseudonyms(new_pseudonym_key()).of(pin) for _ in range(100)}
    assert len(ids) == 100


def test_another_pin_has_another_id() -> None:
    pseudonyms = Pseudonyms(new_pseudonym_key())
    assert len({pseudonyms.of(new_pin()) for _ in range(1000)}) == 1000


def test_keys_are_drawn_anew() -> None:
    keys = {new_pseudonym_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {KEY_BYTES}
