"""
User data in all the wrappings in which clouds and tools hand it over.
"""

import base64
import gzip
import subprocess
import sys
import tracemalloc
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cvmpair_agent.context.decoding import MAX_LAYERS, MAX_SIZE, decode
from cvmpair_agent.context.reading import read_section
from cvmpair_agent.errors import ContextWrong

PIN = "enico1qq0oey"
SECTION = f"[ucernvm-begin]\ncvm_cluster_pin={PIN}\n[ucernvm-end]\n"
RAW = SECTION.encode()


def mime(*parts) -> bytes:
    message = MIMEMultipart()
    for part in parts:
        message.attach(part)
    return message.as_bytes()


def cloud_config() -> MIMEText:
    return MIMEText("#cloud-config\nruncmd: []\n", "cloud-config", "us-ascii")


def base64_part() -> MIMEText:
    part = MIMEText(SECTION, "ucernvm", "utf-8")
    assert part["Content-Transfer-Encoding"] == "base64"
    return part


WRAPPED = {
    "raw": RAW,
    "BOM": b"\xef\xbb\xbf" + RAW,
    "gzip": gzip.compress(RAW),
    "two gzip members": gzip.compress(RAW[:20]) + gzip.compress(RAW[20:]),
    "padded gzip": gzip.compress(RAW) + b"\0" * 512,
    "base64": base64.b64encode(RAW),
    "base64 in lines": base64.encodebytes(RAW),
    "base64 with CRLF": base64.encodebytes(RAW).replace(b"\n", b"\r\n"),
    "base64 of a BOM": base64.b64encode(b"\xef\xbb\xbf" + RAW),
    "base64(gzip)": base64.b64encode(gzip.compress(RAW)),
    "gzip(base64)": gzip.compress(base64.b64encode(RAW)),
    "gzip(gzip)": gzip.compress(gzip.compress(RAW)),
    "7bit part": mime(cloud_config(), MIMEText(SECTION, "ucernvm", "us-ascii")),
    "base64 part": mime(cloud_config(), base64_part()),
    "gzip part": mime(cloud_config(), MIMEApplication(gzip.compress(RAW), "gzip")),
    "gzip(MIME)": gzip.compress(mime(cloud_config(), base64_part())),
    "base64(gzip(MIME))": base64.b64encode(gzip.compress(mime(base64_part()))),
    "MIME in MIME": mime(MIMEApplication(mime(base64_part()), "octet-stream")),
    "message without parts": base64_part().as_bytes(),
    "quoted-printable": b"MIME-Version: 1.0\nContent-Transfer-Encoding: "
    b"quoted-printable\n\n" + RAW.replace(b"=", b"=3D"),
    "before the first part": b"MIME-Version: 1.0\nContent-Type: multipart/mixed; "
    b"boundary=xx\n\n" + RAW + b"--xx\n\n#!/bin/sh\n--xx--\n",
    "after the last part": mime(cloud_config()) + b"\n" + RAW,
    "after latin-1": "# für\n".encode("latin-1") + RAW,
    "a script that speaks of MIME": b"#!/bin/sh\necho 'MIME-Version: 1.0'\n" + RAW,
}


@pytest.mark.parametrize("data", WRAPPED.values(), ids=WRAPPED)
def test_the_section_is_found(data: bytes) -> None:
    section = read_section(data)
    assert section is not None
    pin = section.get("cvm_cluster_pin")
    assert pin is not None
    assert pin.value == PIN


@pytest.mark.parametrize(
    "text",
    ["", "abcd", "YWJjZA==", "[amiconfig]\nplugins=cernvm\n", "#!/bin/sh\necho hi\n"],
)
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert decode(text.encode()) == text


def test_base64_that_is_not_strict_is_text() -> None:
    data = base64.b64encode(RAW)[:-1] + b"!"
    assert decode(data) == data.decode()


def test_bytes_that_are_not_utf_8_come_back() -> None:
    data = bytes(range(256))
    assert decode(data).encode("utf-8", "surrogateescape") == data


def test_parts_without_a_line_end_are_apart() -> None:
    first = MIMEText("#cloud-config", "cloud-config", "us-ascii")
    assert read_section(mime(first, base64_part())) is not None


@pytest.mark.parametrize("kept", [2, 12, 30, -1])
def test_a_gzip_that_is_cut_off(kept: int) -> None:
    with pytest.raises(ContextWrong, match="its end is missing"):
        decode(gzip.compress(RAW)[:kept])


def test_a_gzip_that_is_damaged() -> None:
    data = bytearray(gzip.compress(RAW))
    data[-8] ^= 1
    with pytest.raises(ContextWrong, match="damaged"):
        decode(bytes(data))


def test_a_bomb_does_not_go_off() -> None:
    fits = b"#" * (MAX_SIZE - len(RAW) - 1) + b"\n" + RAW
    assert read_section(gzip.compress(fits)) is not None
    with pytest.raises(ContextWrong, match="when decompressed"):
        decode(gzip.compress(b"#" + fits))


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(64 * MAX_SIZE))
    tracemalloc.start()
    try:
        with pytest.raises(ContextWrong, match="when decompressed"):
            decode(bomb)
        assert tracemalloc.get_traced_memory()[1] < 8 * MAX_SIZE
    finally:
        tracemalloc.stop()


def test_the_parts_of_a_bomb_are_one_bomb() -> None:
    half = gzip.compress(b"#" * (MAX_SIZE // 2 + 1))
    part = MIMEApplication(half, "gzip")
    decode(mime(part))
    with pytest.raises(ContextWrong, match="when decompressed"):
        decode(mime(part, part))


def test_a_huge_text() -> None:
    decode(b"#" * MAX_SIZE)
    with pytest.raises(ContextWrong, match="larger than"):
        decode(b"#" * (MAX_SIZE + 1))


def test_wrappings_have_an_end() -> None:
    data = RAW
    for _ in range(MAX_LAYERS):
        data = gzip.compress(data)
    assert read_section(data) is not None
    with pytest.raises(ContextWrong, match="wrapped more than"):
        decode(gzip.compress(data))


def test_nested_multiparts_have_an_end() -> None:
    data = b"MIME-Version: 1.0\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n)
        for n in range(5000)
    )
    with pytest.raises(ContextWrong, match="multiparts"):
        decode(data)


def test_nested_messages_have_an_end() -> None:
    data = b"MIME-Version: 1.0\n" + b"Content-Type: message/rfc822\n\n" * 5000
    with pytest.raises(ContextWrong, match="cannot be read"):
        decode(data)


def test_content_types_have_an_end() -> None:
    header = b"Content-Type: multipart/mixed" + b";\n ;" * 150_000
    with pytest.raises(ContextWrong, match="Content-Type"):
        decode(b"MIME-Version: 1.0\n" + header + b"\n\n")


wrappers = st.sampled_from(
    [
        gzip.compress,
        base64.b64encode,
        lambda data: b"MIME-Version: 1.0\n" + data,
        lambda data: (
            b"MIME-Version: 1.0\nContent-Type: multipart/mixed; "
            b"boundary=x\n\n--x\n" + data
        ),
        lambda data: data[: len(data) // 2],
        lambda data: data + RAW,
    ]
)


@given(st.binary(max_size=200), st.lists(wrappers, max_size=12))
@example(b"Content-Type: text/plain; charset*=a'b'c\n\n\xff", [wrappers.elements[2]])
def test_no_bytes_do_harm(data: bytes, layers) -> None:
    for layer in layers:
        data = layer(data)
    try:
        section = read_section(data)
    except ContextWrong:
        return
    assert section is None or section.begin > 0


def test_nothing_heavy_is_imported_for_plain_text() -> None:
    code = (
        "import sys; from cvmpair_agent.context.reading import read_section; "
        "import cvmpair_agent.context.cluster, cvmpair_agent.context.shell; "
        "read_section(b'x'); "
        "print(*{'email', 'gzip', 'twisted'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []
