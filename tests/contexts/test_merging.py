"""
From a base to a context: what comes out is read by the agents, by CernVM's parser and
by cloud-init, and nothing else of the base is lost.
"""

import gzip
from base64 import b64encode, encodebytes
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmpair.contexts.advice import NO_PLACEHOLDER, NO_SERVICE_URL
from cvmpair.contexts.block import Assignment
from cvmpair.contexts.merging import (
    Context,
    merge,
)
from cvmpair_agent.context.cluster import Role, cluster_of
from cvmpair_agent.context.decoding import MAX_SIZE, decode
from cvmpair_agent.context.grammar import parse
from cvmpair_agent.context.reading import read_section
from cvmpair_agent.errors import ContextWrong
from tests.contexts.reading import OTHER_PIN, PIN, original, parts

MASTER = Assignment(pin=PIN, role=Role.MASTER, service_url="https://h:8080")
WORKER = Assignment(pin=PIN, role=Role.WORKER, service_url="https://h:8080")
OURS = {"cvm_cluster_pin", "cvm_cluster_master", "cvm_service_url"}
PLACEHOLDER = b"###MASTER_IP_PLACEHOLDER###"
CLOUD_CONFIG = b"#cloud-config\nruncmd:\n - 'echo \"" + PLACEHOLDER + b"\"'\n"
SCRIPT = b"#!/bin/sh\r\necho sesame\n"
BLOCK = f"[ucernvm-begin]\nkept=1\ncvm_cluster_pin={OTHER_PIN}\n[ucernvm-end]\n"


def into(
    base: bytes,
    assignment: Assignment = WORKER,
    *,
    plain: bool = False,
    mime: bool = False,
) -> Context:
    return merge(base, assignment, plain=plain, mime=mime)


def others(data: bytes) -> dict[str, str]:
    """
    Return what a block says that is not ours.
    """
    section = read_section(data)
    entries = () if section is None else section.entries
    return {entry.key: entry.value for entry in entries if entry.key not in OURS}


def check(data: bytes, assignment: Assignment) -> None:
    """
    See that the agents and CernVM's parser read the assignment.
    """
    section = read_section(data)
    assert section is not None
    cluster = cluster_of(section)
    assert cluster is not None
    assert (cluster.pin, cluster.role) == (assignment.pin, assignment.role)
    found = original(data)
    assert found[b"CVM_CLUSTER_PIN"] == assignment.pin.encode()
    master = found.get(b"CVM_CLUSTER_MASTER")
    assert master == (b"1" if assignment.role is Role.MASTER else None)
    if assignment.service_url is not None:
        assert cluster.service_url == assignment.service_url
        assert found[b"CVM_SERVICE_URL"] == assignment.service_url.encode()
    lines = [line.strip() for line in decode(data).split("\n")]
    assert lines.count("[ucernvm-begin]") == lines.count("[ucernvm-end]") == 1


assignments = st.builds(
    Assignment,
    pin=st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=12, max_size=12),
    role=st.sampled_from(Role),
    service_url=st.sampled_from([None, "https://h", "http://[::1]:1/a"]),
)
first_lines = st.sampled_from(["", "#cloud-config", "#!/bin/sh", "[amiconfig]", "x"])
lines = st.one_of(
    st.sampled_from(
        [
            "",
            "[ucernvm-begin]",
            " [ucernvm-begin]\t",
            "[ucernvm-end]",
            "cvmfs_branch=b",
            "Key = 'a b'",
            f"cvm_cluster_pin={OTHER_PIN}",
            "CVM_CLUSTER_MASTER= sesame",
            "cvm_service_url=http://old",
            "--==cvmpair-context==",
            "--==cvmpair-context==--",
            "# remark = 1",
        ]
    ),
    st.text(st.characters(exclude_characters="\0\n:"), max_size=12),
)
bases = st.builds(
    lambda first, rest, newline, end: newline.join([first, *rest]) + end,
    first_lines,
    st.lists(lines, max_size=14),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n"]),
).map(lambda text: text.encode("utf-8", "replace"))


@given(bases, assignments, st.sampled_from(["mime", "auto"]))
def test_every_text_is_read_back(
    base: bytes, assignment: Assignment, name: str
) -> None:
    mime = name == "mime"
    try:
        context = into(base, assignment, mime=mime)
    except ContextWrong as wrong:
        # A line of the block that cannot stand in a message as it is.
        assert "cannot stand" in str(wrong)  # noqa: PT017
        return
    check(context.data, assignment)
    assert others(context.data) == others(base)
    again = into(context.data, assignment, mime=mime)
    assert again.data == context.data
    assert into(base, assignment, mime=mime) == context


@given(bases, assignments)
def test_a_text_that_stays_one(base: bytes, assignment: Assignment) -> None:
    try:
        data = into(base, assignment, plain=True).data
    except ContextWrong as wrong:
        assert "--format mime" in str(wrong)  # noqa: PT017
        assert base.startswith((b"#cloud-config", b"#!"))
        return
    check(data, assignment)
    assert others(data) == others(base)
    assert b"\r\n" not in data
    assert data.endswith(b"\n")
    assert into(data, assignment, plain=True).data == data
    if parse(base.decode()) is None and b"[ucernvm-end]" not in base:
        text = base.replace(b"\r\n", b"\n")
        assert data.startswith(text)


@given(st.binary(max_size=200).filter(lambda code: b"[ucernvm-" not in code))
def test_a_script_keeps_its_bytes(code: bytes) -> None:
    script = b"#!/bin/sh\n" + code
    data = into(script).data
    check(data, WORKER)
    assert parts(data)[1:] == [("text/x-shellscript", script)]


def test_parts_have_their_types() -> None:
    for start, type_ in {
        b"#cloud-config\na: 1\n": "text/cloud-config",
        b"#!/usr/bin/python3\n": "text/x-shellscript",
        b"\n[amiconfig]\nplugins=cernvm\n": "text/amiconfig-user-data",
        b"#include\nhttp://h/\n": "text/x-include-url",
        b"#cloud-config-archive\n- a\n": "text/cloud-config-archive",
        b"anything": "text/plain",
    }.items():
        types, texts = zip(*parts(into(start, mime=True).data), strict=True)
        assert types == ("text/ucernvm", type_)
        assert texts[1] == start
    assert [type_ for type_, _ in parts(into(b"", mime=True).data)] == ["text/ucernvm"]


def test_the_block_of_a_message_is_never_in_base64() -> None:
    data = into("#!/bin/sh\n# é\n".encode()).data
    assert data.isascii() is False
    assert b"base64" not in data
    binary = into(b"#!/bin/sh\n\xff\0").data
    assert binary.count(b"base64") == 1
    check(binary, WORKER)
    with pytest.raises(ContextWrong, match="cannot stand"):
        into(b"[ucernvm-begin]\nsesame=\xff\n[ucernvm-end]\n", mime=True)


def test_a_text_that_holds_the_boundary() -> None:
    script = (
        b"#!/bin/sh\ncat <<E\n--==cvmpair-context==\n\nx\n--==cvmpair-context==--\nE\n"
    )
    data = into(script).data
    check(data, WORKER)
    assert parts(data)[1:] == [("text/x-shellscript", script)]


@pytest.mark.parametrize("base", [CLOUD_CONFIG, SCRIPT, b"#include\nhttp://h/\n"])
def test_what_a_block_would_break_does_not_stay_a_text(base: bytes) -> None:
    with pytest.raises(ContextWrong, match="--format mime"):
        into(base, plain=True)
    # After the end of a script its author has put one on purpose.
    data = into(base + BLOCK.encode(), plain=True).data
    check(data, WORKER)
    assert others(data) == {"kept": "1"}


def mime_base(*texts: MIMEText) -> bytes:
    message = MIMEMultipart(boundary="sesame-boundary")
    for text in texts:
        message.attach(text)
    return message.as_bytes()


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_message_gets_a_part(newline: bytes) -> None:
    base = mime_base(MIMEText("a: 1\n", "cloud-config"), MIMEText("é", "plain"))
    base = base.replace(b"\n", newline)
    data = into(base, MASTER, plain=True).data
    check(data, MASTER)
    assert parts(data)[1:] == parts(base)
    assert len(parts(data)) == 3
    first = base.index(b"--sesame-boundary")
    assert data.startswith(base[:first])
    assert data.endswith(base[first:])
    assert into(data, MASTER).data == data


@pytest.mark.parametrize("charset", ["us-ascii", "utf-8"])
def test_the_block_of_a_message_is_replaced(charset: str) -> None:
    # With utf-8 it is in base64, which CernVM's parser cannot read.
    base = mime_base(
        MIMEText("a: 1\n", "cloud-config"), MIMEText(BLOCK, "ucernvm", charset)
    )
    data = into(base).data
    check(data, WORKER)
    assert others(data) == {"kept": "1"}
    assert [type_ for type_, _ in parts(data)] == ["text/ucernvm", "text/cloud-config"]


def test_what_stands_beside_a_block_in_its_part_is_kept() -> None:
    text = f"[amiconfig]\nplugins=x\n{BLOCK}[cernvm]\na=b\n"
    base = mime_base(MIMEText(text, "amiconfig-user-data", "us-ascii"))
    data = into(base).data
    check(data, WORKER)
    assert parts(data)[1:] == [
        ("text/amiconfig-user-data", b"[amiconfig]\nplugins=x\n[cernvm]\na=b\n")
    ]


def test_a_message_of_one_part_becomes_one_of_two() -> None:
    base = b"MIME-Version: 1.0\nContent-Type: text/cloud-config\n\na: 1\n"
    data = into(base, plain=True).data
    check(data, WORKER)
    assert parts(data)[1:] == [("text/cloud-config", b"a: 1\n")]


def test_a_block_that_cannot_be_replaced_is_refused() -> None:
    inner = MIMEMultipart()
    inner.attach(MIMEText(BLOCK, "ucernvm", "us-ascii"))
    outer = MIMEMultipart()
    outer.attach(inner)
    preamble = MIMEMultipart()
    preamble.preamble = BLOCK
    for base in (outer, preamble):
        with pytest.raises(ContextWrong):
            into(base.as_bytes())


@pytest.mark.parametrize(
    "wrap",
    [
        gzip.compress,
        b64encode,
        encodebytes,
        lambda data: b64encode(gzip.compress(data)),
        lambda data: gzip.compress(b64encode(data)),
        lambda data: b"\xef\xbb\xbf" + data,
    ],
)
def test_wrapped_bases(wrap: object) -> None:
    assert callable(wrap)
    text = b"[amiconfig]\nplugins=x\n"
    for base in (text, CLOUD_CONFIG, SCRIPT, mime_base(MIMEText("a", "plain"))):
        assert into(wrap(base)) == into(base)


@pytest.mark.parametrize(
    "base",
    [bytes(range(256)), b"\xff\xfes\0e\0s\0", b"\x7fELF\x02\x01\x01\x80", b"s\0"],
)
@pytest.mark.parametrize("mime", [False, True])
def test_a_base_that_is_no_text(base: bytes, *, mime: bool) -> None:
    for data in base, gzip.compress(base):
        with pytest.raises(ContextWrong, match="no text in UTF-8, and neither gzip"):
            into(data, mime=mime)


@pytest.mark.parametrize("base", [b"caf\xe9 \x1b[1m\n", b"sesame \x01\n"])
def test_text_with_strange_letters(base: bytes) -> None:
    assert into(base).data.startswith(base)


def test_text_that_only_looks_like_base64() -> None:
    assert into(b"abcd", plain=True).data.startswith(b"abcd\n[ucernvm-begin]\n")


@pytest.mark.parametrize(
    "base",
    [
        gzip.compress(b"sesame" * 100)[:-9],
        gzip.compress(b"sesame" * 100)[:12] + b"sesame",
        gzip.compress(bytes(MAX_SIZE + 1)),
        bytes(MAX_SIZE + 1),
    ],
    # gzip notes the time.
    ids=["cut off", "damaged", "too large once unpacked", "too large"],
)
def test_broken_and_endless_bases(base: bytes) -> None:
    with pytest.raises(ContextWrong) as caught:
        into(base)
    assert "sesame" not in str(caught.value)


def test_a_context_larger_than_agents_read_is_refused() -> None:
    room = MAX_SIZE - len(into(b"x\n", plain=True).data) + 2
    assert len(into(b"x" * (room - 1) + b"\n", plain=True).data) == MAX_SIZE
    with pytest.raises(ContextWrong, match="larger"):
        into(b"x" * room + b"\n", plain=True)


def test_a_service_url_that_is_kept_must_be_one() -> None:
    unknown = Assignment(pin=PIN, role=Role.WORKER)
    base = b"[ucernvm-begin]\ncvm_service_url=ftp://sesame\n[ucernvm-end]\n"
    with pytest.raises(ContextWrong) as caught:
        into(base, unknown)
    assert "cvm_service_url" in str(caught.value)
    assert "sesame" not in str(caught.value)
    check(into(base).data, WORKER)


def test_warnings() -> None:
    assert into(CLOUD_CONFIG).warnings == ()
    assert into(b"x").warnings == (NO_PLACEHOLDER,)
    assert into(b"x", MASTER).warnings == ()
    unknown = Assignment(pin=PIN, role=Role.MASTER)
    assert into(b"x", unknown).warnings == (NO_SERVICE_URL,)
    assert into(BLOCK.encode() * 2, MASTER).warnings != ()
    # It is found wherever the agents find it.
    hidden = mime_base(MIMEText(CLOUD_CONFIG.decode(), "cloud-config", "utf-8"))
    assert into(hidden).warnings == ()
