"""
The search over the sources: what ends it, what does not, and in which order it goes.
"""

import gzip
from collections.abc import Sequence

import pytest
from attrs import define, field

from cvmpair_agent.context.cluster import Role
from cvmpair_agent.errors import ContextWrong
from cvmpair_agent.userdata.drive import drive
from cvmpair_agent.userdata.order import DEFAULT_ORDER, in_order
from cvmpair_agent.userdata.search import Search, search
from cvmpair_agent.userdata.source import Kind, SourceUnusable, UserData

PIN = "enico1qq0oey"


def context(*lines: str) -> bytes:
    return "\n".join(["[ucernvm-begin]", *lines, "[ucernvm-end]", ""]).encode()


GOOD = context(f"cvm_cluster_pin={PIN}", "cvm_cluster_master=yes", "x=sesame")


@define
class FakeSource:
    """
    A source that holds what the test gives it.
    """

    name: str
    held: list[bytes] = field(factory=list)
    trouble: Exception | None = None
    looks: int = 0
    kind: Kind = Kind.DISK

    async def look(self) -> Sequence[UserData]:
        self.looks += 1
        if self.trouble:
            raise self.trouble
        return [
            UserData(source=self.name, place=f"/{self.name}/{number}", data=data)
            for number, data in enumerate(self.held)
        ]


def look(*sources: FakeSource) -> Search:
    return drive(search(sources))


def verdicts(result: Search) -> list[tuple[str, str, str]]:
    return [(looked.name, looked.place, looked.verdict) for looked in result.looked]


def test_nothing_anywhere() -> None:
    result = look(FakeSource("one"), FakeSource("two"))
    assert result.found is None
    assert verdicts(result) == [
        ("one", "", "no user data there"),
        ("two", "", "no user data there"),
    ]


def test_the_first_with_a_pin_is_taken() -> None:
    last = FakeSource("last", [GOOD])
    result = look(FakeSource("first", [GOOD]), last)
    assert result.found is not None
    assert result.found.data.source == "first"
    assert result.found.cluster.pin == PIN
    assert result.found.cluster.role is Role.MASTER
    assert result.found.section.get("x") is not None
    assert verdicts(result) == [("first", "/first/0", "has a PIN")]
    assert last.looks == 0


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (b"", "no ucernvm section in its user data"),
        (b"#cloud-config\n", "no ucernvm section in its user data"),
        (context("x=sesame"), "no PIN in its ucernvm section"),
        (context("cvm_cluster_pin="), "no PIN in its ucernvm section"),
    ],
)
def test_another_answer_does_not_end_it(data: bytes, verdict: str) -> None:
    result = look(FakeSource("other", [data]), FakeSource("good", [GOOD]))
    assert result.found is not None
    assert result.found.data.source == "good"
    assert verdicts(result)[0] == ("other", "/other/0", verdict)


def test_all_that_a_source_holds_is_looked_at() -> None:
    result = look(FakeSource("one", [b"other", GOOD, GOOD]))
    assert result.found is not None
    assert result.found.data.place == "/one/1"
    assert [looked.place for looked in result.looked] == ["/one/0", "/one/1"]


def test_an_unusable_source_does_not_end_it() -> None:
    unusable = FakeSource("other", trouble=SourceUnusable("/dev/sr0: is damaged"))
    result = look(unusable, FakeSource("good", [GOOD]))
    assert result.found is not None
    assert verdicts(result)[0] == ("other", "", "/dev/sr0: is damaged")


def test_what_cannot_be_decoded_does_not_end_it() -> None:
    cut = gzip.compress(GOOD)[:-12]
    result = look(FakeSource("other", [cut]), FakeSource("good", [GOOD]))
    assert result.found is not None
    (name, place, verdict), _ = verdicts(result)
    assert (name, place) == ("other", "/other/0")
    assert verdict.startswith("cannot be read: ")


@pytest.mark.parametrize(
    "lines",
    [
        [f"cvm_cluster_pin={PIN}", "cvm_cluster_master=sesame"],
        [f"cvm_cluster_pin={PIN}", "cvm_service_url=ftp://sesame"],
        ["cvm_cluster_pin=sesame"],
    ],
)
def test_a_wrong_value_is_not_passed_over(lines: list[str]) -> None:
    good = FakeSource("good", [GOOD])
    with pytest.raises(ContextWrong) as caught:
        look(FakeSource("wrong", [context(*lines)]), good)
    assert str(caught.value).startswith("wrong, /wrong/0: Line ")
    assert "sesame" not in str(caught.value)
    assert PIN not in str(caught.value)
    assert good.looks == 0


def test_what_a_source_refuses_ends_it() -> None:
    wrong = FakeSource("file", trouble=ContextWrong("--context-file: no such file"))
    with pytest.raises(ContextWrong, match="no such file"):
        look(wrong, FakeSource("good", [GOOD]))


def test_nothing_secret_is_shown() -> None:
    result = look(FakeSource("other", [b"sesame"]), FakeSource("good", [GOOD]))
    assert "sesame" not in repr(result.looked)
    assert result.found is not None
    assert "sesame" not in repr(result.found)
    assert PIN not in repr(result.found)


# The order

KINDS = {
    "context-file": Kind.FILE,
    "cloud-init": Kind.CLOUD_INIT,
    "config-drive": Kind.DISK,
    "nocloud": Kind.DISK,
    "ec2": Kind.METADATA,
    "gce": Kind.METADATA,
}


def test_the_order_of_egi() -> None:
    assert DEFAULT_ORDER == ("file", "cloud-init", "metadata", "disk", "injected")
    assert in_order(DEFAULT_ORDER, KINDS) == [
        "context-file",
        "cloud-init",
        "ec2",
        "gce",
        "config-drive",
        "nocloud",
    ]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["disk"], ["config-drive", "nocloud"]),
        (["nocloud", "ec2"], ["nocloud", "ec2"]),
        (["nocloud", "disk", "nocloud"], ["nocloud", "config-drive"]),
        (["cloud-init"], ["cloud-init"]),
        (["injected"], []),
        ([], []),
    ],
)
def test_orders(words: list[str], names: list[str]) -> None:
    assert in_order(words, KINDS) == names


@pytest.mark.parametrize("word", ["floppy", "", "EC2", "disks"])
def test_an_unknown_word(word: str) -> None:
    with pytest.raises(ContextWrong) as caught:
        in_order(["disk", word], KINDS)
    assert str(caught.value) == (
        f"--source-order: there is no source {word!r}; there are file, cloud-init, "
        "metadata, disk, injected, context-file, config-drive, nocloud, ec2, gce"
    )


def test_a_coroutine_that_waits_is_not_driven() -> None:
    closed = []

    class Waiting:
        def __await__(self):
            try:
                yield
            finally:
                closed.append(True)

    async def wait() -> None:
        await Waiting()

    waiting = wait()
    with pytest.raises(RuntimeError, match="must not wait"):
        drive(waiting)
    assert closed == [True]
