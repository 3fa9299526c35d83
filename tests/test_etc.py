"""
What is shipped beside the package fits the package.
"""

import json
import re
import shlex
from configparser import RawConfigParser
from pathlib import Path

import pytest
import yaml

from cvmpair.options import Options

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
UNIT = ROOT / "etc/systemd/cvmpair.service"


def test_unit_starts_the_daemon_with_options_that_it_knows() -> None:
    unit = RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read_string(UNIT.read_text())
    service = unit["Service"]
    variable, _, endpoint = service["Environment"].partition("=")
    words = shlex.split(
        service["ExecStart"]
        .replace(f"${{{variable}}}", endpoint)
        .replace("${STATE_DIRECTORY}", "/var/lib/cvmpair")
    )
    options = Options()
    options.parseOptions(words[words.index("cvmpair") + 1 :])
    assert options.settings.listen == ("tcp:8080",)
    assert options.settings.state_dir == Path("/var/lib/cvmpair")


def table_rows() -> dict[str, str]:
    return dict(
        re.findall(r"^\| `--([a-z-]+)[^`]*` \| `([^`]+)` \|", README, re.MULTILINE)
    )


def test_readme_has_every_option_with_its_default() -> None:
    defaults = {name: default for name, _, default, _ in Options.optParameters}
    assert table_rows() == {
        "listen": "tcp:8080:interface=127.0.0.1",
        "admin-listen": "nowhere",
        **defaults,
    }


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"\]\(((?:etc|LICENSE)[^)]*)\)", README)))
)
def test_readme_refers_to_what_exists(path: str) -> None:
    assert (ROOT / path).is_file()


def test_rules_and_dashboard_ask_for_figures_that_there_are() -> None:
    rules = yaml.safe_load((ROOT / "etc/prometheus/cvmpair.rules.yml").read_text())
    dashboard = json.loads((ROOT / "etc/grafana/cvmpair.json").read_text())
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    asked += [
        target["expr"] for panel in dashboard["panels"] for target in panel["targets"]
    ]
    names = set(re.findall(r"cvmpair_[a-z_]+", " ".join(asked)))
    source = (ROOT / "cvmpair/web/metrics.py").read_text()
    source += (ROOT / "cvmpair/service.py").read_text()
    known = set(re.findall(r'"(?:cvmpair_)?([a-z_]+)",', source))
    assert len(names) > 5
    for name in names:
        assert re.sub("^cvmpair_|_total$|_bucket$", "", name) in known
