"""
A machine with cloud-init and the agent: a directory that stands for its disk.
"""

import json
import shutil
import subprocess
import sys
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

from attrs import field, frozen

from tests.e2e import daemon
from tests.e2e.cloud_init import package
from tests.logs import new_output

STAGES = Path(__file__).parent / "stages.py"


def mime(**parts: str) -> str:
    """
    Return user data of several parts, by their subtypes of ``text``.
    """
    message = MIMEMultipart()
    for subtype, text in parts.items():
        message.attach(MIMEText(text, subtype.replace("_", "-")))
    return message.as_string()


@frozen(kw_only=True)
class Machine:
    """
    A machine whose image has user data for cloud-init's source NoCloud.

    :ivar root: its ``/``.
    """

    root: Path
    configuration: Path = field(init=False)

    def __attrs_post_init__(self) -> None:
        disk = self.root / "etc/cloud"
        disk.mkdir(parents=True)
        configuration = {
            "datasource_list": ["NoCloud"],
            # No disks: those of the machine that runs the tests are not meant.
            "datasource": {"NoCloud": {"fs_label": None}},
            "cloud_init_modules": [],
            # Otherwise it runs at the first boot only.
            "cloud_config_modules": [["runcmd", "always"]],
            "cloud_final_modules": [["scripts-user", "always"]],
            "system_info": {
                "distro": "debian",
                "paths": {
                    "cloud_dir": str(self.root / "var/lib/cloud"),
                    "run_dir": str(self.root / "run/cloud-init"),
                    "templates_dir": str(disk / "templates"),
                },
            },
        }
        self.configuration.write_text(json.dumps(configuration))

    @configuration.default
    def _configuration(self) -> Path:
        return self.root / "etc/cloud/configuration.json"

    def seed(self, instance: str, user_data: str) -> None:
        """
        Give it user data, as the instance of that name.
        """
        seed = self.root / "var/lib/cloud/seed/nocloud"
        seed.mkdir(parents=True, exist_ok=True)
        (seed / "user-data").write_text(user_data)
        (seed / "meta-data").write_text(f"instance-id: {instance}\n")

    def boot(self) -> None:
        """
        Boot it, up to the end of the network stage.
        """
        shutil.rmtree(self.root / "run", ignore_errors=True)
        self.stage("network")

    def stage(self, name: str) -> None:
        """
        Run a stage of cloud-init.
        """
        run = subprocess.run(
            [*package.PYTHON, str(STAGES), name, str(self.configuration)],
            env=package.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr

    def agent(self, command: str, *options: str) -> int:
        """
        Run the agent, and return its exit code.
        """
        words = ["-m", "cvmpair_agent", command, f"--root={self.root}", *options]
        with new_output("agent").open("wb") as said:
            return subprocess.run(
                [sys.executable, *words],
                env=daemon.environment(),
                stdout=said,
                stderr=said,
                check=False,
            ).returncode

    def read(self, path: str) -> str:
        """
        Return a file of its disk.
        """
        return (self.root / path).read_text()
