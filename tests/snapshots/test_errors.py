"""
Why a state cannot be used: what is wrong, and what to do.
"""

from errno import EACCES
from pathlib import Path

import pytest

from cvmpair.checks.state import check_state
from cvmpair.checks.verdict import Level
from cvmpair.facts import state
from cvmpair.snapshots import errors
from cvmpair.snapshots.errors import StateError, StateMissing

PLACE = Path("/nowhere/state")
SAMPLES = [
    errors.StateLocked(PLACE, "12"),
    errors.StateExposed(PLACE, 0o755, 0o700),
    errors.StateDamaged(PLACE, "it is empty"),
    errors.StateOutdated(PLACE, PLACE / "note"),
    errors.StateForeign("it is something else", "name another"),
    errors.StateMissing(PLACE),
    errors.StateTaken(PLACE, "file"),
    errors.ExportDamaged("export", 2, "it is not whole"),
    errors.ExportForeign("it is something else", "name another"),
    errors.StateUnusable(PLACE, "No space left on device"),
]


def test_there_is_one_of_each() -> None:
    assert {type(error) for error in SAMPLES} == set(StateError.__subclasses__())


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_each_has_a_reason_and_a_step(error: StateError) -> None:
    assert str(error) == f"{error.reason}; {error.step}"
    assert error.reason
    assert error.step
    assert "\n" not in str(error)
    # Neither half is half of the other.
    assert "; " not in error.reason
    assert not error.step.endswith(".")


def test_a_file_of_another_user_is_named() -> None:
    failed = PermissionError(EACCES, "Permission denied", str(PLACE / "lock"))
    error = errors.StateUnusable.of(PLACE, failed)
    assert error.reason.endswith(f"cannot be used: {PLACE / 'lock'}: Permission denied")
    assert error.step.endswith(f"chown -R USER {PLACE}")


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_the_doctor_tells_both(
    error: StateError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(state, "read_state", refuse)
    verdicts = list(check_state(state.state_facts(tmp_path)))
    failed = [one for one in verdicts if one.about == "state file"]
    if isinstance(error, StateMissing):
        assert [one.level for one in failed] == [Level.OK]
    else:
        assert [(one.text, one.next_step) for one in failed] == [
            (error.reason, error.step)
        ]
