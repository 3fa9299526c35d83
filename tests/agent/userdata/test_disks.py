"""
The sources on disks, on disks as the clouds make them.
"""

import base64
import json
import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvmpair_agent.disks.volumes import Volumes
from cvmpair_agent.files.root import Root
from cvmpair_agent.userdata.azure_disk import AzureDisk, read_ovf_env
from cvmpair_agent.userdata.config_drive import ConfigDrive, read_meta_js
from cvmpair_agent.userdata.files import Extract
from cvmpair_agent.userdata.nocloud import NoCloud
from cvmpair_agent.userdata.opennebula import OpenNebula, read_context_sh
from cvmpair_agent.userdata.source import (
    DataUnreadable,
    Kind,
    Source,
    SourceUnusable,
    UserData,
)
from cvmpair_agent.userdata.vsphere import VSphere
from tests.agent.images import bend_chains, make_iso, make_vfat, write_tree

DATA = b"[ucernvm-begin]\ncvm_cluster_pin=enico1qq0oey\n# sesame\n[ucernvm-end]\n"
ENCODED = base64.b64encode(DATA)
V2 = "openstack/latest/user_data"
OVF = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" '
    'xmlns:wa="http://schemas.microsoft.com/windowsazure">'
    "<wa:ProvisioningSection><LinuxProvisioningConfigurationSet>"
    "<HostName>host</HostName>{}"
    "</LinuxProvisioningConfigurationSet></wa:ProvisioningSection></Environment>"
)


def custom_data(text: bytes) -> bytes:
    return OVF.format(f"<CustomData>{text.decode()}</CustomData>").encode()


def sources(root: Path) -> dict[str, Source]:
    place = Root(root)
    volumes = Volumes(place)
    found: list[Source] = [
        ConfigDrive(root=place, volumes=volumes),
        OpenNebula(volumes=volumes),
        NoCloud(root=place, volumes=volumes),
        VSphere(volumes=volumes),
        AzureDisk(volumes=volumes),
    ]
    return {source.name: source for source in found}


def look(root: Path, name: str) -> list[tuple[str, bytes]]:
    """
    Return the places, relative to the root, and what was there.
    """
    # Nothing is waited for, so the coroutine ends by itself.
    with pytest.raises(StopIteration) as ended:
        sources(root)[name].look().send(None)
    found: list[UserData] = ended.value.value
    assert {one.source for one in found} <= {name}
    return [(one.place.removeprefix(f"{root}/"), one.data) for one in found]


def unusable(root: Path, name: str) -> str:
    with pytest.raises(SourceUnusable) as raised:
        sources(root)[name].look().send(None)
    assert "sesame" not in str(raised.value)
    return str(raised.value)


def test_names_and_kinds(tmp_path: Path) -> None:
    assert {name: source.kind for name, source in sources(tmp_path).items()} == (
        dict.fromkeys(
            ["config-drive", "opennebula", "nocloud", "vsphere", "azure-disk"],
            Kind.DISK,
        )
    )


CLOUDS = [
    ("config-drive", V2, DATA, "config-2", ""),
    ("config-drive", "ec2/latest/user-data", DATA, "x", ""),
    ("config-drive", "meta.js", json.dumps({"user-data": DATA.decode()}).encode(), "x",
     ": user-data"),
    ("opennebula", "context.sh", b"EC2_USER_DATA='%s'\n" % DATA, "CONTEXT",
     ": EC2_USER_DATA"),
    ("opennebula", "context.sh",
     b'USERDATA_ENCODING="base64"\nUSER_DATA="%s"\n' % ENCODED, "CDROM", ": USER_DATA"),
    ("opennebula", "context.sh",
     b"USER_DATA_ENCODING=BASE64\nUSERDATA=%s\n" % ENCODED, "", ": USERDATA"),
    ("opennebula", "context.sh", b"CLOUD_INIT_USER_DATA='%s'\n" % DATA, "_STRATUSLAB",
     ": CLOUD_INIT_USER_DATA"),
    ("nocloud", "user-data", DATA, "cidata", ""),
    ("nocloud", "user-data", DATA, "CIDATA", ""),
    ("vsphere", "user-data.txt", DATA, "", ""),
    ("azure-disk", "CustomData.bin", DATA, "", ""),
    ("azure-disk", "ovf-env.xml", custom_data(ENCODED), "", ": CustomData"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "content", "label", "detail"), CLOUDS)
@pytest.mark.parametrize("disk", ["iso", "udf", "vfat"])
def test_each_source(
    tmp_path: Path,
    disk: str,
    name: str,
    file: str,
    content: bytes,
    label: str,
    detail: str,
) -> None:
    files = {file: content, "unrelated": b"sesame"}
    if disk == "vfat":
        make_vfat(tmp_path / "dev/vdb", files, label=label.upper(), kib=8192)
    else:
        options = ["-J", "-R"] if disk == "iso" else ["-udf"]
        make_iso(tmp_path / "dev/vdb", files, *options, label=label)
    assert look(tmp_path, name) == [(f"dev/vdb: {file}{detail}", DATA)]
    others = sources(tmp_path).keys() - {name}
    assert all(look(tmp_path, other) == [] for other in others)


@pytest.mark.parametrize("name", sources(Path("/")))
def test_a_machine_without_disks(tmp_path: Path, name: str) -> None:
    assert look(tmp_path, name) == []


def test_the_label_comes_first(tmp_path: Path) -> None:
    make_iso(tmp_path / "dev/sr0", {V2: b"other"}, "-R", label="other")
    make_vfat(tmp_path / "dev/vdb", {V2: DATA}, label="CONFIG-2")
    assert look(tmp_path, "config-drive") == [
        (f"dev/vdb: {V2}", DATA),
        (f"dev/sr0: {V2}", b"other"),
    ]


def test_user_data_of_any_disk_are_not_those_of_nocloud(tmp_path: Path) -> None:
    make_iso(tmp_path / "dev/sr0", {"user-data": DATA}, "-R", label="backup")
    assert look(tmp_path, "nocloud") == []


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("config-drive", f"var/lib/cloud/seed/config_drive/{V2}"),
        ("config-drive", "config-drive/ec2/latest/user-data"),
        ("nocloud", "var/lib/cloud/seed/nocloud/user-data"),
    ],
)
def test_seeds(tmp_path: Path, name: str, seed: str) -> None:
    write_tree(tmp_path, {seed: DATA})
    assert look(tmp_path, name) == [(seed, DATA)]
    (tmp_path / seed).chmod(0o666)
    assert seed in unusable(tmp_path, name)


def test_nothing_of_context_sh_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = b"touch x; EC2_USER_DATA=\"$(touch x)\" USER_DATA='`touch x`'; touch x\n"
    make_iso(tmp_path / "dev/sr0", {"context.sh": script}, "-R", label="CONTEXT")
    assert look(tmp_path, "opennebula") == [
        ("dev/sr0: context.sh: EC2_USER_DATA", b"$(touch x)"),
        ("dev/sr0: context.sh: USER_DATA", b"`touch x`"),
    ]
    assert not (tmp_path / "x").exists()


def test_all_variables_in_their_order() -> None:
    script = (
        b"CLOUD_INIT_USER_DATA=4\nUSERDATA='a'\\''b'\nUSER_DATA='two\nlines'\n"
        b"EC2_USER_DATA=1\n"
    )
    assert [data for _, data in read_context_sh("place", script)] == [
        b"1",
        b"two\nlines",
        b"a'b",
        b"4",
    ]


def test_a_broken_variable_does_not_hide_another(tmp_path: Path) -> None:
    script = b"USERDATA_ENCODING=base64\nUSER_DATA='&'\nEC2_USER_DATA=1\n"
    make_iso(tmp_path / "dev/sr0", {"context.sh": script}, "-R")
    assert look(tmp_path, "opennebula") == [
        ("dev/sr0: context.sh: EC2_USER_DATA", b"1")
    ]


@pytest.mark.parametrize(
    ("name", "file", "content", "complaint"),
    [
        ("config-drive", "meta.js", b"{sesame", "is not a JSON object"),
        ("config-drive", "meta.js", b'["sesame"]', "is not a JSON object"),
        ("config-drive", "meta.js", b'{"user-data": 1}', "is not a JSON object"),
        ("config-drive", "meta.js", b'{"user-data": "\\ud800"}', "is not a JSON"),
        ("config-drive", "meta.js", b"[" * 100_000, "is not a JSON object"),
        ("config-drive", "meta.js", b"\xff\xfe\x00", "is not a JSON object"),
        ("opennebula", "context.sh", b"A='sesame", "line 1: a quote is not closed"),
        (
            "opennebula",
            "context.sh",
            b"USERDATA_ENCODING=base64\nUSERDATA=sesame",
            "USERDATA: is not valid base64",
        ),
        ("azure-disk", "ovf-env.xml", b"<sesame", "is not plain XML"),
        ("azure-disk", "ovf-env.xml", custom_data(b"sesame"), "is not valid base64"),
        ("azure-disk", "ovf-env.xml", b'<?xml encoding="x"?><a/>', "not plain XML"),
        ("config-drive", V2, b"sesame" * 200_000, "1200000 bytes, more than 1048576"),
    ],
)
def test_wrong_content(
    tmp_path: Path, name: str, file: str, content: bytes, complaint: str
) -> None:
    make_iso(tmp_path / "dev/sr0", {file: content}, "-R")
    said = unusable(tmp_path, name)
    assert said.startswith(f"{tmp_path}/dev/sr0: {file}: ")
    assert complaint in said
    assert "\n" not in said


@pytest.mark.parametrize("content", [b"{}", b'{"user-data": null}'])
def test_meta_js_without_user_data(content: bytes) -> None:
    assert list(read_meta_js("place", content)) == []


@pytest.mark.parametrize(
    "declaration",
    [
        b'<!DOCTYPE a [<!ENTITY b "sesame">]>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd">',
        b"<!DOCTYPE a>",
    ],
)
def test_xml_with_a_document_type(declaration: bytes) -> None:
    with pytest.raises(SourceUnusable, match="plain XML"):
        list(read_ovf_env("place", declaration + b"<CustomData>YQ==</CustomData>"))


def test_xml_without_custom_data(tmp_path: Path) -> None:
    make_iso(tmp_path / "dev/sr0", {"ovf-env.xml": OVF.format("").encode()}, "-R")
    assert look(tmp_path, "azure-disk") == []


def test_empty_files_do_not_count(tmp_path: Path) -> None:
    make_iso(tmp_path / "dev/sr0", {V2: b"", "ec2/latest/user-data": DATA}, "-R")
    assert look(tmp_path, "config-drive") == [("dev/sr0: ec2/latest/user-data", DATA)]


def test_a_damaged_disk_does_not_hide_another(tmp_path: Path) -> None:
    bend_chains(make_vfat(tmp_path / "dev/vda", {V2: DATA}, label="CONFIG-2"))
    with pytest.raises(SourceUnusable, match=f"^{tmp_path}/dev/vda: ") as raised:
        sources(tmp_path)["config-drive"].look().send(None)
    # Any disk of a machine may be damaged, and have no user data.
    assert not isinstance(raised.value, DataUnreadable)
    make_iso(tmp_path / "dev/vdb", {V2: DATA}, "-R")
    assert look(tmp_path, "config-drive") == [(f"dev/vdb: {V2}", DATA)]


FILES = {
    **{file: content for _, file, content, _, _ in CLOUDS},
    "big": bytes(5000),
}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """
    The same files on each kind of disk.
    """
    directory = tmp_path_factory.mktemp("images")
    made = {}
    for options in (["-J", "-R"], ["-udf"], []):
        name = "iso" + "".join(options)
        made[name] = make_iso(directory / name, FILES, "-no-pad", *options)
    for bits, kib in ((12, 512), (16, 5000), (32, 36_000)):
        name = f"vfat{bits}"
        made[name] = make_vfat(directory / name, FILES, bits=bits, kib=kib)
    return made


@settings(max_examples=80)
@given(
    kind=st.sampled_from(["iso-J-R", "iso-udf", "iso", "vfat12", "vfat16", "vfat32"]),
    data=st.data(),
)
def test_whatever_the_disk_has(
    pristine: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    data: st.DataObject,
) -> None:
    image = bytearray(pristine[kind].read_bytes())
    # Most of a disk is empty; what matters is where something is.
    used = [match.start() for match in re.finditer(rb"[^\0]", image)]
    places = st.one_of(st.sampled_from(used), st.integers(0, len(image) - 1))
    for place, byte in data.draw(
        st.lists(st.tuples(places, st.integers(0, 255)), max_size=12)
    ):
        image[place] = byte
    end = data.draw(st.one_of(st.none(), st.integers(0, len(image))))
    root = tmp_path_factory.getbasetemp() / "whatever"
    (root / "dev").mkdir(parents=True, exist_ok=True)
    (root / "dev/sr0").write_bytes(image[:end])
    for source in sources(root).values():
        # The one is its way to end, the other the only way to fail.
        with pytest.raises((StopIteration, SourceUnusable)):
            source.look().send(None)


@given(
    st.sampled_from([read_meta_js, read_context_sh, read_ovf_env]),
    st.binary(max_size=200),
)
def test_whatever_the_file_has(extract: Extract, data: bytes) -> None:
    with suppress(SourceUnusable):
        list(extract("place", data))
