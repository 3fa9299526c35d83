"""
What is rendered for a target is what comes out at the machine.
"""

import gzip
import json
import re
import subprocess
from base64 import b64decode
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmpair.contexts.encodings import base64_size
from cvmpair.contexts.formats import FORMATS
from cvmpair.contexts.merging import Context
from cvmpair.contexts.rendering import command_line, render
from cvmpair_agent.errors import ContextWrong
from cvmpair_agent.userdata.opennebula import read_context_sh

COMPRESSIBLE = sorted(name for name in FORMATS if FORMATS[name].takes_gzip)
contexts = st.binary(max_size=300).filter(lambda data: data[:2] != b"\x1f\x8b")


def strict_base64(data: bytes) -> bytes:
    assert re.fullmatch(rb"([A-Za-z0-9+/]+={0,2})?", data)
    return b64decode(data, validate=True)


def occi(data: bytes) -> bytes:
    category, attribute, end = data.decode().split("\n")
    assert category == (
        'Category: user_data; scheme="http://schemas.openstack.org/compute/instance#"; '
        'class="mixin"'
    )
    match = re.fullmatch(
        r'X-OCCI-Attribute: org\.openstack\.compute\.user_data="(.*)"', attribute
    )
    assert match is not None
    assert end == ""
    return strict_base64(match[1].encode())


def cimi(data: bytes) -> bytes:
    template = json.loads(data)["machineTemplate"]
    assert set(template) == {"machineImage", "machineConfig", "userData"}
    return strict_base64(template["userData"].encode())


def opennebula(data: bytes) -> bytes:
    section = re.fullmatch(r"CONTEXT = \[(.*)\]\n", data.decode(), re.DOTALL)
    assert section is not None
    words = dict(re.findall(r'(\w+) = "([^"]*)"', section[1]))
    assert words["USERDATA_ENCODING"] == "base64"
    assert words["USER_DATA"] == words["EC2_USER_DATA"]
    return strict_base64(words["USER_DATA"].encode())


def context_sh(data: bytes) -> bytes:
    found = {
        place.partition(": ")[2]: value
        for place, value in read_context_sh("context.sh", data)
    }
    assert strict_base64(found["EC2_USER_DATA"]) == found["USER_DATA"]
    return found["USER_DATA"]


def gce(data: bytes) -> bytes:
    # A value is text; the compressed one says that it is in base64.
    return strict_base64(data) if data.startswith(b"H4sI") else data


def unchanged(data: bytes) -> bytes:
    return data


READERS: Mapping[str, Callable[[bytes], bytes]] = {
    "raw": unchanged,
    "mime": unchanged,
    "gzip": gzip.decompress,
    "base64": strict_base64,
    "openstack": unchanged,
    "ec2": unchanged,
    "occi": occi,
    "occi-cli": unchanged,
    "cimi": cimi,
    "opennebula": opennebula,
    "context-sh": context_sh,
    "gce": gce,
    "azure": unchanged,
    "cloudstack": strict_base64,
}


def body(name: str, data: bytes, *, compressed: bool = False) -> bytes:
    rendering = render(name, Context(data=data), compressed=compressed)
    if isinstance(rendering.body, bytes):
        return rendering.body
    assert set(rendering.body) == {"user-data", "meta-data"}
    return rendering.body["user-data"]


def test_every_format_is_tried() -> None:
    assert {*READERS, "nocloud"} == set(FORMATS)


@given(contexts)
def test_what_is_rendered_is_read_back(data: bytes) -> None:
    for name, target in FORMATS.items():
        read = READERS.get(name, unchanged)
        assert read(body(name, data)) == data
        assert body(name, data) == body(name, data)
        if target.takes_gzip and not target.always_gzip:
            assert gzip.decompress(read(body(name, data, compressed=True))) == data


@pytest.mark.parametrize("name", FORMATS)
def test_limits(name: str) -> None:
    limit = {
        "openstack": 49149,
        "ec2": 16384,
        "occi": 12288,
        "occi-cli": 12288,
        "gce": 262144,
        "azure": 65535,
        "cloudstack": 24576,
    }.get(name)
    if limit is None:
        assert body(name, b"x" * 1024 * 1024)
        return
    fits = render(name, Context(data=b"x" * limit))
    assert fits.size == limit
    assert str(FORMATS[name].limit.size) in fits.sizes()  # type: ignore[union-attr]
    with pytest.raises(ContextWrong) as caught:
        render(name, Context(data=b"x" * (limit + 1)))
    assert name in str(caught.value)
    assert ("--gzip" in str(caught.value)) is (name in COMPRESSIBLE)
    if name in COMPRESSIBLE:
        assert body(name, b"x" * (limit + 1), compressed=True)


def test_the_hint_says_when_gzip_is_not_enough() -> None:
    noise = b"".join(n.to_bytes(3, "big") for n in range(2**20, 2**20 + 10**5))
    with pytest.raises(ContextWrong, match="still too large"):
        render("ec2", Context(data=noise))
    with pytest.raises(ContextWrong) as caught:
        render("ec2", Context(data=noise), compressed=True)
    assert "--gzip" not in str(caught.value)


def test_gzip_where_it_cannot_be_read() -> None:
    with pytest.raises(ContextWrong, match="azure"):
        render("azure", Context(data=b"x"), compressed=True)


def test_gzip_holds_no_time() -> None:
    assert body("gzip", b"x")[4:8] == bytes(4)


def test_cloudstack_cautions_of_get() -> None:
    assert render("cloudstack", Context(data=b"x" * 3072)).warnings == ()
    assert len(render("cloudstack", Context(data=b"x" * 3073)).warnings) == 1


@given(st.binary(max_size=50))
def test_sizes(data: bytes) -> None:
    rendering = render("base64", Context(data=data, warnings=("w",)))
    assert isinstance(rendering.body, bytes)
    assert rendering.encoded_size == base64_size(data) == len(rendering.body)
    assert rendering.warnings == ("w",)


def test_nocloud_has_another_instance_for_another_context() -> None:
    metas = set()
    for data in (b"a", b"b"):
        files = render("nocloud", Context(data=data)).body
        assert isinstance(files, Mapping)
        assert re.fullmatch(rb"instance-id: [a-z0-9-]+\n", files["meta-data"])
        metas.add(files["meta-data"])
    assert len(metas) == 2


def test_a_shell_reads_context_sh_as_well(tmp_path: Path) -> None:
    script = tmp_path / "context.sh"
    script.write_bytes(body("context-sh", b"a'b$(touch x)\n\xff"))
    read = subprocess.run(
        [
            "/bin/sh",
            "-c",
            '. "$1"; printf %s "$EC2_USER_DATA" | base64 -d',
            "-",
            script,
        ],
        capture_output=True,
        check=True,
        cwd=tmp_path,
    )
    assert read.stdout == b"a'b$(touch x)\n\xff"
    assert list(tmp_path.iterdir()) == [script]


def test_command_lines_quote_the_file() -> None:
    for name in FORMATS:
        command = command_line(name, "/tmp/a b")
        if command is not None:
            assert "'/tmp/a b'" in command
            # What a shell puts in there is seen in the list of processes.
            assert "$(" not in command
    compressed = command_line("gce", "f", compressed=True)
    assert compressed is not None
    assert "user-data-encoding=base64" in compressed
    assert "fileb://" in str(command_line("ec2", "f", compressed=True))


@pytest.mark.parametrize("name", ["gce", "occi-cli"])
def test_files_that_a_command_would_split(name: str) -> None:
    with pytest.raises(ContextWrong, match="comma"):
        command_line(name, "/tmp/a,b")
