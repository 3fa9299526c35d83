"""
The same check for many cases at the same time.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from traceback import format_exception
from typing import TypeVar

T = TypeVar("T")


def check_all(cases: Iterable[T], check: Callable[[T], None], at_once: int) -> None:
    """
    Check all cases, and report each that fails.

    :param at_once: how many at the same time.
    """
    with ThreadPoolExecutor(at_once) as pool:
        running = [(case, pool.submit(check, case)) for case in cases]
    assert running
    wrong = [
        "".join([f"{case}: ", *format_exception(error)])
        for case, one in running
        if (error := one.exception()) is not None
    ]
    assert not wrong, "\n".join(wrong)
