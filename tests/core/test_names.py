import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmpair.core.names import (
    MAX_KEY_NAME_LENGTH,
    MAX_VALUE_BYTES,
    PIN_ALPHABET,
    is_pin,
    key_name,
    key_value,
    new_pin,
)

LEGAL = string.ascii_letters + string.digits + "_-"


@pytest.mark.parametrize("text", ["abcdefghijkl", "012345678901", "a1b2c3d4e5f6"])
def test_pins(text: str) -> None:
    assert is_pin(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abcdefghijk",
        "abcdefghijklm",
        "ABCDEFGHIJKL",
        "abcdefghijk\n",
        "abcdefghijkl\n",
        " abcdefghijkl",
        "abcdefghijk-",
        "abcdefghijké",
        "abcdefghijk٣",  # a digit of another script
    ],
)
def test_no_pins(text: str) -> None:
    assert not is_pin(text)


@given(st.randoms(use_true_random=False))
def test_new_pins_are_pins(random) -> None:
    assert is_pin(new_pin(random.randrange))


def test_each_number_is_a_pin_of_its_own() -> None:
    def pin(number: int) -> str:
        def draw(below: int) -> int:
            assert below == 36**12
            return number

        return new_pin(draw)

    assert pin(0) == "a" * 12
    assert pin(36**12 - 1) == "9" * 12
    ones = sum(36**place for place in range(12))
    assert [pin(n * ones) for n in range(36)] == [c * 12 for c in PIN_ALPHABET]
    assert {pin(36**place) for place in range(12)} == {
        "a" * place + "b" + "a" * (11 - place) for place in range(12)
    }


def test_new_pins_differ() -> None:
    assert len({new_pin() for _ in range(1000)}) == 1000


@given(st.text(LEGAL, min_size=1, max_size=MAX_KEY_NAME_LENGTH))
def test_key_names(text: str) -> None:
    assert key_name(text) == text


def test_key_names_are_trimmed() -> None:
    assert key_name("  sesame_name\t") == "sesame_name"


@pytest.mark.parametrize(
    "text",
    [
        "a" * (MAX_KEY_NAME_LENGTH + 1),
        "two words",
        "a.b",
        "a/b",
        "a%",
        "é",
        "a\0b",
        "\ud800",
        "a\nb",
        "٣",
    ],
)
def test_no_key_names(text: str) -> None:
    with pytest.raises(ValueError, match=r"^A key name has 1 to 100 letters"):
        key_name(text)


@pytest.mark.parametrize("text", ["", " ", "\t\r\n", "\u00a0"])
def test_blank(text: str) -> None:
    for check in (key_name, key_value):
        with pytest.raises(ValueError, match=r"^This field may not be blank\.$"):
            check(text)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_values_are_trimmed(text: str) -> None:
    if text.strip():
        assert key_value(text) == text.strip()


@pytest.mark.parametrize("letter", ["a", "é", "€", "🔑"])
def test_the_longest_value_is_measured_in_utf8(letter: str) -> None:
    longest = letter * (MAX_VALUE_BYTES // len(letter.encode()))
    assert key_value(f" {longest} ") == longest
    with pytest.raises(ValueError, match=r"^A value has at most 16384 bytes of UTF-8;"):
        key_value(longest + letter)


def test_null_characters() -> None:
    with pytest.raises(ValueError, match=r"^Null characters are not allowed\.$"):
        key_value("sesame\0")


@pytest.mark.parametrize("text", ["\ud800", "sesame\udfff", "\udc00\ud800"])
def test_lone_surrogates(text: str) -> None:
    with pytest.raises(ValueError, match=r"^Not a valid string\.$"):
        key_value(text)


@given(st.text())
def test_reasons_quote_nothing(text: str) -> None:
    text = f"sesame {text}\0"
    for check in (key_name, key_value):
        with pytest.raises(ValueError, match=r".") as caught:
            check(text)
        assert "sesame" not in str(caught.value)
