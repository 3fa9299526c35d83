"""
The block: what is kept of an old one, and what is not.
"""

import pytest

from cvmpair.contexts.block import MORE_BLOCKS, Assignment, carve, pin, service_url
from cvmpair_agent.context.cluster import Role
from cvmpair_agent.errors import ContextWrong
from tests.contexts.reading import OTHER_PIN, PIN

OLD = f"""\
[ucernvm-begin]
cvmfs_branch=cernvm-prod.cern.ch
CVM_Cluster_Pin = "{OTHER_PIN}"
cvm_cluster_master=yes
cvm_service_url=http://old.example
# a remark
cvmfs_path="cvm4 sesame"
[ucernvm-end]
"""


def test_a_master_says_so_and_a_worker_says_nothing() -> None:
    master = Assignment(pin=PIN, role=Role.MASTER, service_url="https://h:8080")
    assert master.block() == (
        f"[ucernvm-begin]\ncvm_cluster_pin={PIN}\ncvm_cluster_master=yes\n"
        "cvm_service_url=https://h:8080\n[ucernvm-end]\n"
    )
    worker = Assignment(pin=PIN, role=Role.WORKER)
    assert worker.block() == (
        f"[ucernvm-begin]\ncvm_cluster_pin={PIN}\n[ucernvm-end]\n"
    )


def test_other_keys_are_kept_as_they_are() -> None:
    carved = carve(f"[amiconfig]\n{OLD}plugins=x\n")
    assert carved.rest == "[amiconfig]\nplugins=x\n"
    assert carved.lines is not None
    worker = Assignment(pin=PIN, role=Role.WORKER, service_url="https://new.example")
    assert worker.block(carved.lines).split("\n") == [
        "[ucernvm-begin]",
        f"cvm_cluster_pin={PIN}",
        "cvm_service_url=https://new.example",
        "cvmfs_branch=cernvm-prod.cern.ch",
        "# a remark",
        'cvmfs_path="cvm4 sesame"',
        "[ucernvm-end]",
        "",
    ]


def test_the_token_is_that_of_the_pin_and_a_fingerprint_lasts() -> None:
    token, old = (f"{word * 2}.{'x' * 43}" for word in ("abcd", "wxyz"))
    first, second = (f"sha256:{digit * 64}" for digit in "12")
    given = Assignment(pin=PIN, role=Role.MASTER, token=token, fingerprint=first)
    lines = given.block(("cvm_cluster_token=" + old, "cvm_service_fingerprint=x"))
    assert lines == (
        f"[ucernvm-begin]\ncvm_cluster_pin={PIN}\ncvm_cluster_master=yes\n"
        f"cvm_cluster_token={token}\ncvm_service_fingerprint={first}\n"
        "[ucernvm-end]\n"
    )
    assert token not in repr(given)
    # Without new ones: another token is of another PIN, but the server is the same.
    block = Assignment(pin=PIN, role=Role.WORKER).block(
        (f"cvm_cluster_token={old}", f"cvm_service_fingerprint={second}")
    )
    assert block == (
        f"[ucernvm-begin]\ncvm_cluster_pin={PIN}\ncvm_service_fingerprint={second}\n"
        "[ucernvm-end]\n"
    )


def test_without_a_new_service_the_old_one_is_kept() -> None:
    lines = carve(OLD).lines
    assert lines is not None
    block = Assignment(pin=PIN, role=Role.WORKER).block(lines)
    assert block.count("cvm_service_url") == 1
    assert "cvm_service_url=http://old.example\n" in block
    assert OTHER_PIN not in block
    assert "master" not in block


def test_a_text_without_a_block_is_all_rest() -> None:
    for text in ("", "\n", "a\r\nb", "a\n\n", " [ucernvm-begin] x\n"):
        carved = carve(text)
        assert (carved.rest, carved.lines) == (text, None)


def test_an_end_before_the_beginning_goes() -> None:
    # The original parser would stop there.
    carved = carve(f"a\n[ucernvm-end]\nb\n{OLD} [ucernvm-end]\r\nc")
    assert carved.rest == "a\nb\nc"
    assert carve("a\n[ucernvm-end]\nb").rest == "a\nb"


def test_more_blocks_go_with_a_warning() -> None:
    carved = carve(f"a\n{OLD}b\n{OLD}c\n{OLD}")
    assert carved.rest == "a\nb\nc\n"
    assert carved.warnings == (MORE_BLOCKS,)
    assert carve(OLD * 20000).warnings == (MORE_BLOCKS,)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_block_without_an_end_goes_to_the_end(end: str) -> None:
    carved = carve(f"a\n[ucernvm-begin]\nk=1\nl=2{end}")
    assert (carved.rest, carved.lines) == ("a\n", ("k=1", "l=2"))
    assert len(carved.warnings) == 1


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://pairing.example/", "https://pairing.example"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://10.0.0.1:8080/a/b//", "http://10.0.0.1:8080/a/b"),
    ],
)
def test_service_urls(text: str, url: str) -> None:
    assert service_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pairing.example:8080",
        "ftp://h",
        "http://",
        "http://u:sesame@h",
        "http://h/?a=b",
        "http://h/a&b",
        "http://h/$(touch x)",
        "http://h/a b",
        "http://h/'",
        "http://h\n",
        "http://h:0",
        "http://h:99999",
        "http://[::1",
        "http://:80",
        "http://sesame..h",
    ],
)
def test_service_urls_that_a_shell_would_not_take(text: str) -> None:
    with pytest.raises(ContextWrong) as caught:
        service_url(text)
    assert "sesame" not in str(caught.value)


def test_pins() -> None:
    assert pin(f" {PIN}\r\n") == PIN
    for word in ("", PIN[1:], f"{PIN}a", PIN.upper(), f"{PIN[:6]} {PIN[6:]}"):
        with pytest.raises(ContextWrong) as caught:
            pin(word)
        assert PIN[:6] not in str(caught.value)
    assert PIN not in repr(Assignment(pin=PIN, role=Role.MASTER))
