"""
The quick start of the README, typed as it stands there.
"""

import re
import subprocess
from pathlib import Path

from tests.e2e.daemon import ROOT, Daemon


def quick_start() -> list[str]:
    """
    Return the shell blocks of that section.
    """
    readme = (ROOT / "README.md").read_text()
    section = readme.split("## Quick start")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def test_quick_start(tmp_path: Path) -> None:
    blocks = quick_start()
    assert len(blocks) == 3
    with Daemon(tmp_path / "state") as daemon:
        script = "\n".join(["set -e", *blocks]).replace(
            "http://127.0.0.1:8080", daemon.url
        )
        result = subprocess.run(
            ["sh"], input=script, capture_output=True, text=True, check=False
        )
    assert result.returncode == 0, result.stderr
    assert re.match(r"the PIN is [a-z0-9]{12}\n", result.stdout)
    assert result.stdout.endswith("master_ip: 10.10.25.5\n")
