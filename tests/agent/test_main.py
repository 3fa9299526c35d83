"""
What the command makes of an error of any kind.
"""

import pytest

from cvmpair_agent import main as module
from cvmpair_agent.errors import AgentError, AnotherMaster


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (AgentError("no good"), 1, "cvmpair-agent: no good\n"),
        (AnotherMaster("lost"), 4, "cvmpair-agent: lost\n"),
        (KeyboardInterrupt(), 130, ""),
        (
            ValueError("sesame"),
            1,
            "cvmpair-agent: this is a defect of cvmpair-agent: ValueError at "
            "test_main.py:",
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(module, "status", fail)
    with pytest.raises(SystemExit) as ended:
        module.main(["status"])
    assert ended.value.code == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(said)
    # What an unforeseen error says may be secret.
    assert "sesame" not in shown.err
    assert len(shown.err.splitlines()) <= 1
