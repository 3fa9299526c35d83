"""
Runs one stage of the real cloud-init, with a directory for all that it writes.

It is run by Debian's Python, for which Debian's cloud-init is made, and takes the
steps that cloudinit/cmd/main.py takes, but for those that are about the machine
itself: the network, the name of the host, the log.
"""

import json
import sys
from pathlib import Path
from typing import Any

from cloudinit import helpers, stages
from cloudinit.config.modules import Modules
from cloudinit.settings import PER_ALWAYS, PER_INSTANCE


class Init(stages.Init):
    """
    Takes its configuration from the test instead of from ``/etc/cloud``.

    :ivar base: that configuration.
    """

    base: dict[str, Any]

    def _read_cfg(self, extra_fns: object) -> dict[str, Any]:
        return helpers.ConfigMerger(
            paths=helpers.Paths(self.base["system_info"]["paths"], self.datasource),
            datasource=self.datasource,
            additional_fns=extra_fns,
            base_cfg=self.base,
        ).cfg


def network() -> None:
    """
    Fetch the user data, and take them apart.
    """
    init = Init()
    init.initialize()
    init.purge_cache()
    init.fetch(existing="check")
    init.instancify()
    init.setup_datasource()
    init.update()
    ran, _ = init.cloudify().run(
        "consume_data", init.consume_data, args=[PER_INSTANCE], freq=PER_INSTANCE
    )
    if not ran:
        init.consume_data(PER_ALWAYS)
    init.activate_datasource()
    run_modules(init, "cloud_init_modules")
    # On a machine this link begins with /var, which is elsewhere here.
    link = Path(init.paths.instance_link)
    target = link.readlink().relative_to(link.parent)
    link.unlink()
    link.symlink_to(target)


def modules(section: str) -> None:
    """
    Act on what the network stage has left.
    """
    init = Init(ds_deps=[])
    init.fetch(existing="trust")
    run_modules(init, section)


def run_modules(init: Init, section: str) -> None:
    _, failures = Modules(init).run_section(section)
    if failures:
        sys.exit(f"{section}: {failures}")


if __name__ == "__main__":
    stage, configuration = sys.argv[1:]
    Init.base = json.loads(Path(configuration).read_text())
    match stage:
        case "network":
            network()
        case "config" | "final":
            modules(f"cloud_{stage}_modules")
