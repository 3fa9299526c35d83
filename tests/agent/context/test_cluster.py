"""
The PIN, the role and the service, and what is wrong with them.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmpair_agent.context.cluster import (
    DEFAULT_SERVICE_URL,
    ClusterContext,
    Role,
    cluster_of,
)
from cvmpair_agent.context.grammar import parse
from cvmpair_agent.errors import ContextWrong

PIN = "enico1qq0oey"
TOKEN = f"abcd1234.sesame-_{'Z' * 35}"
FINGERPRINT = f"sha256:{'ab' * 32}"


def read(*lines: str) -> ClusterContext | None:
    section = parse("\n".join(["[ucernvm-begin]", *lines, "[ucernvm-end]"]))
    assert section is not None
    return cluster_of(section)


def cluster(*lines: str) -> ClusterContext:
    found = read(f"cvm_cluster_pin={PIN}", *lines)
    assert found is not None
    return found


def objection(*lines: str) -> str:
    with pytest.raises(ContextWrong) as caught:
        read(*lines)
    assert caught.value.exit_code == 2
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_a_worker_by_default() -> None:
    assert cluster() == ClusterContext(
        pin=PIN, role=Role.WORKER, service_url="https://cernvm-online.cern.ch"
    )


@pytest.mark.parametrize("line", ["", "cvm_cluster_pin=", 'cvm_cluster_pin=""'])
def test_without_a_pin_there_is_no_cluster(line: str) -> None:
    assert read(line, "cvm_cluster_master=perhaps") is None


@pytest.mark.parametrize("value", ["yes", "ON", "True", "1", '"on"', "'TRUE' "])
def test_masters(value: str) -> None:
    assert cluster(f"cvm_cluster_master={value}").role is Role.MASTER


@pytest.mark.parametrize("value", ["no", "OFF", "False", "0", "", '""', '"No"'])
def test_workers(value: str) -> None:
    assert cluster(f"cvm_cluster_master={value}").role is Role.WORKER


@pytest.mark.parametrize("value", ["y", "2", "sesame", "yes # comment", "enabled"])
def test_neither_master_nor_worker(value: str) -> None:
    text = objection(f"cvm_cluster_pin={PIN}", f"cvm_cluster_master={value}")
    assert text.startswith("Line 3 of the user data: cvm_cluster_master is neither")
    assert value not in text.split()
    assert PIN not in text


@pytest.mark.parametrize(
    "value", ["sesame", "SESAMESESAME", "sesame/../..", "sesame?a=%2f", f"{PIN} # x"]
)
def test_what_is_no_pin(value: str) -> None:
    text = objection("", f"cvm_cluster_pin={value}")
    assert text.startswith("Line 3 of the user data: cvm_cluster_pin is not a PIN")
    assert value not in text
    assert PIN not in text


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("https://h/", "https://h"),
        ("https://h//", "https://h"),
        ("HTTPS://pair.example.org", "https://pair.example.org"),
        ("http://127.0.0.1:8080/pairing/", "http://127.0.0.1:8080/pairing"),
        ("https://[2001:db8::1]:443", "https://[2001:db8::1]:443"),
        ("'https://h'", "https://h"),
        ("", DEFAULT_SERVICE_URL),
    ],
)
def test_service_urls(value: str, url: str) -> None:
    found = cluster(f"cvm_service_url={value}")
    assert found.service_url == url
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("h:8000", "http://h:8000"),
        ("my-service.example.com:8000", "http://my-service.example.com:8000"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("10.0.0.1", "http://10.0.0.1"),
        ("h/path/", "http://h/path"),
    ],
)
def test_no_scheme_is_http_with_a_warning(value: str, url: str) -> None:
    found = cluster(f"cvm_service_url={value}")
    assert found.service_url == url
    (warning,) = found.warnings
    assert warning.startswith("Line 3: cvm_service_url has no scheme")


@pytest.mark.parametrize(
    "value",
    [
        "ftp://sesame",
        "file:///sesame",
        "http://u:sesame@h",
        "http://sesame@h",
        "sesame:x@h",
        "http://h?sesame",
        "http://h/#sesame",
        "http://h:sesame",
        "http://h:99999/sesame",
        "http://h:0/sesame",
        "http://sesame h/",
        "http://h/sesame\x7f",
        "http://h/sesame\rHost:x",
        "http://h/sesamé",
        "http://[sesame]/",
        "http://[fe80::1%sesame]/",
        "http://[::1/sesame",
        "http:///sesame",
        "http://sesame_/",
        "ftp:sesame",
        "-osesame",
        "http://h\\@sesame/",
    ],
)
def test_what_is_no_service_url(value: str) -> None:
    text = objection(f"cvm_cluster_pin={PIN}", f"cvm_service_url={value}")
    assert text.startswith("Line 3 of the user data: cvm_service_url ")
    assert "sesam" not in text
    assert PIN not in text


@given(
    st.sampled_from(["cvm_cluster_pin", "cvm_cluster_master", "cvm_service_url"]),
    st.text(alphabet=st.characters(exclude_characters="\n")),
)
def test_no_value_in_an_error(key: str, value: str) -> None:
    text = f"Line 3 of the user data: {key} "
    try:
        read(f"cvm_cluster_pin={PIN}", f"{key}=sesame{value}")
    except ContextWrong as error:
        text = str(error)
    assert text.startswith(f"Line 3 of the user data: {key} ")
    assert "sesame" not in text
    assert PIN not in text


def test_the_warnings_of_the_section_are_kept() -> None:
    assert cluster("nonsense").warnings == ("Line 3 is not KEY=VALUE and is ignored.",)


def test_neither_pin_nor_token_is_in_the_repr() -> None:
    shown = repr(cluster(f"cvm_cluster_token={TOKEN}"))
    assert PIN not in shown
    assert TOKEN.partition(".")[2] not in shown


def test_a_token() -> None:
    assert cluster(f"cvm_cluster_token={TOKEN}").token == TOKEN
    assert cluster(f"cvm_cluster_token='{TOKEN}' ").token == TOKEN
    assert cluster("cvm_cluster_token=").token is None


@pytest.mark.parametrize(
    "value", ["sesame", TOKEN[:-1], f"{TOKEN}a", f"Bearer {TOKEN}", f"{TOKEN[:-1]}="]
)
def test_what_is_no_token(value: str) -> None:
    text = objection(f"cvm_cluster_pin={PIN}", f"cvm_cluster_token={value}")
    assert text.startswith("Line 3 of the user data: cvm_cluster_token is not a token")
    assert "sesame" not in text


def test_a_fingerprint() -> None:
    https = "cvm_service_url=https://h"
    line = f"cvm_service_fingerprint={FINGERPRINT}"
    assert cluster(https, line).fingerprint == FINGERPRINT
    assert cluster(https, line.replace("ab", "AB")).fingerprint == FINGERPRINT
    # The default is one with https.
    assert cluster(line).fingerprint == FINGERPRINT
    assert cluster("cvm_service_fingerprint=").fingerprint is None


@pytest.mark.parametrize(
    ("value", "url", "reason"),
    [
        (FINGERPRINT[:-1], "https://h", "is no fingerprint: sha256: and 64 hexa"),
        (FINGERPRINT[7:], "https://h", "is no fingerprint"),
        (f"sha512:{FINGERPRINT[7:]}", "https://h", "is no fingerprint"),
        (FINGERPRINT, "http://h", "needs a cvm_service_url that begins with https://"),
        (FINGERPRINT, "h", "needs a cvm_service_url that begins with https://"),
    ],
)
def test_what_is_no_fingerprint(value: str, url: str, reason: str) -> None:
    text = objection(
        f"cvm_cluster_pin={PIN}",
        f"cvm_service_url={url}",
        f"cvm_service_fingerprint={value}",
    )
    assert text.startswith(f"Line 4 of the user data: cvm_service_fingerprint {reason}")


def test_a_key_that_is_misspelt_is_named() -> None:
    (warning,) = cluster("cvm_cluster_mater=yes").warnings
    assert warning.startswith("Line 3: there is no key cvm_cluster_mater; there are ")


def test_keys_of_others_are_none_of_our_business() -> None:
    assert cluster("cvmfs_branch=x", "cvm_x=y").warnings == ()
