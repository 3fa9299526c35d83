"""
The units of cloud-init since 24.3, as far as their order goes.

Its stages are run by one process, cloud-init-main.service; the network stage is
cloud-init-network.service. Where Debian and Red Hat differ, they do here.
"""

from collections.abc import Mapping
from typing import Final

_STAGE: Final = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"

_BOTH: Final = {
    "cloud-init-main.service": """\
[Unit]
DefaultDependencies=no
After=systemd-remount-fs.service
Before=cloud-init-local.service shutdown.target
Conflicts=shutdown.target
RequiresMountsFor=/var/lib/cloud
""",
    "cloud-init-local.service": """\
[Unit]
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
""",
    "cloud-init-network.service": """\
[Unit]
Wants=cloud-init-local.service
After=cloud-init-local.service
Before=network-online.target sshd.service systemd-user-sessions.service
""",
    "cloud-config.target": """\
[Unit]
Wants=cloud-init-local.service cloud-init-network.service
After=cloud-init-local.service cloud-init-network.service
""",
    "cloud-config.service": """\
[Unit]
Wants=network-online.target cloud-config.target
After=network-online.target cloud-config.target
""",
    "cloud-final.service": """\
[Unit]
Wants=network-online.target cloud-config.service
After=network-online.target cloud-config.service
""",
    "cloud-init.target": """\
[Unit]
After=multi-user.target
""",
}

_DEBIAN: Final = {
    "cloud-init-local.service": "Before=sysinit.target\n",
    "cloud-init-network.service": """\
DefaultDependencies=no
After=systemd-networkd-wait-online.service networking.service
Before=sysinit.target shutdown.target
Conflicts=shutdown.target
""",
    "cloud-final.service": "After=multi-user.target\n",
}

_RED_HAT: Final = {
    "cloud-init-main.service": "Requires=dbus.socket\nAfter=dbus.socket\n",
    "cloud-init-network.service": """\
After=NetworkManager.service NetworkManager-wait-online.service
""",
}


def _with(more: Mapping[str, str]) -> dict[str, str]:
    return {
        name: text + more.get(name, "") + (_STAGE if name.endswith(".service") else "")
        for name, text in _BOTH.items()
    }


DEBIAN: Final = _with(_DEBIAN)
RED_HAT: Final = _with(_RED_HAT)

CERNVM: Final = {
    "amiconfig.service": "[Unit]\nWants=local-fs.target\nAfter=local-fs.target\n"
    + _STAGE
}
"""No cloud-init; the context is worked off by amiconfig."""
