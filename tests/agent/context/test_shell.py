"""
What a shell makes of the exported variables.
"""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvmpair_agent.context.grammar import parse
from cvmpair_agent.context.shell import export


def exported(*lines: str) -> str:
    section = parse("\n".join(["[ucernvm-begin]", *lines, "[ucernvm-end]"]))
    assert section is not None
    return export(section)


@pytest.mark.parametrize(
    ("line", "variable"),
    [
        ("k=v=w", "_UCONTEXT_K=v=w"),
        ("k=YES", "_UCONTEXT_K=1"),
        ("k=on", "_UCONTEXT_K=1"),
        ("k=True", "_UCONTEXT_K=1"),
        ("k=No", "_UCONTEXT_K=0"),
        ("k=off", "_UCONTEXT_K=0"),
        ("k=FALSE", "_UCONTEXT_K=0"),
        ("k=y", "_UCONTEXT_K=y"),
        ("k=enabled", "_UCONTEXT_K=enabled"),
        ('k="yes"', "_UCONTEXT_K=yes"),
        ("k=", "_UCONTEXT_K=''"),
        ("k=a b", "_UCONTEXT_K='a b'"),
    ],
)
def test_lines(line: str, variable: str) -> None:
    assert exported(line) == f"{variable}\n"


def test_both_of_a_key_in_their_order() -> None:
    assert exported("k=1", "K=2") == "_UCONTEXT_K=1\n_UCONTEXT_K=2\n"


@settings(max_examples=30)
@given(st.text(st.characters(exclude_characters="\n\0", codec="utf-8")))
def test_a_shell_only_assigns(value: str) -> None:
    script = exported(f"k='{value}'") + 'printf %s "$_UCONTEXT_K"'
    run = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert run.stdout == value.encode()
    assert run.stderr == b""


def test_nothing_is_run(tmp_path: Path) -> None:
    lines = [
        "a=$(touch x)",
        "b=1;touch x",
        "c=`touch x`",
        "d=1 & touch x",
        "e='\\';touch x",
    ]
    subprocess.run(["sh", "-euc", exported(*lines)], cwd=tmp_path, check=True)
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_are_not_utf_8_reach_the_shell() -> None:
    script = os.fsencode(exported("k=\udcfcber")) + b'printf %s "$_UCONTEXT_K"'
    run = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert run.stdout == b"\xfcber"
