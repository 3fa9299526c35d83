"""
Warnings about contexts that would not do what they are for.
"""

import pytest

from cvmpair.contexts.advice import (
    COMMENT,
    LOOPBACK,
    NO_PLACEHOLDER,
    NO_SERVICE_URL,
    TOO_EARLY,
    advice,
)
from cvmpair_agent.context.cluster import cluster_of
from cvmpair_agent.context.grammar import parse

IT = "###MASTER_IP_PLACEHOLDER###"


def advice_for(
    text: str, *, url: str | None = "http://pairing.example.org", master: bool = False
) -> set[str]:
    block = ["[ucernvm-begin]", "cvm_cluster_pin=enico1qq0oey"]
    block += [f"cvm_service_url={url}"] * (url is not None)
    block += ["cvm_cluster_master=yes"] * master
    text = "\n".join([*block, "[ucernvm-end]", text])
    section = parse(text)
    assert section is not None
    cluster = cluster_of(section)
    assert cluster is not None
    return set(advice(text, section, cluster))


@pytest.mark.parametrize(
    "text",
    [
        f"master={IT}",
        f"runcmd:\n  - 'join \"{IT}\"'\n",
        f'runcmd:\n  - [join, "{IT}"]\n',
        f'#!/bin/sh\necho "{IT}"\n',
        f"[amiconfig]\nmaster= {IT}\n",
        f"#!/bin/sh\njoin http://{IT}:8080/",
        f"bootcmd:\n  - date\nruncmd:\n  - 'join \"{IT}\"'\n",
    ],
)
def test_nothing_to_say(text: str) -> None:
    assert advice_for(text) == set()


@pytest.mark.parametrize(
    "text",
    [
        f"#cloud-config\nruncmd:\n  - echo {IT} >/root/master\n",
        f"#cloud-config\nruncmd:\n  - [join, {IT}]\n",
        f"#!/bin/sh\nmaster= {IT}",
    ],
)
def test_a_placeholder_that_is_a_comment(text: str) -> None:
    assert advice_for(text) == {COMMENT}


def test_a_placeholder_that_comes_too_early() -> None:
    text = f"bootcmd:\n  - date\n  - 'join \"{IT}\"'\nruncmd:\n  - date\n"
    assert advice_for(text) == {TOO_EARLY}


def test_a_worker_without_a_placeholder() -> None:
    assert advice_for("") == {NO_PLACEHOLDER}
    assert advice_for("", master=True) == set()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://[::1]", "https://localhost:8443"]
)
def test_a_service_that_nobody_else_finds(url: str) -> None:
    assert advice_for(IT, url=url) == {LOOPBACK}


def test_no_service() -> None:
    assert advice_for(IT, url=None) == {NO_SERVICE_URL}
