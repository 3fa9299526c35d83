"""
Who may import whom: three floors and a roof.

A room imports from the floors below it, never sideways, and the modules that do
I/O only where they belong. ``if TYPE_CHECKING`` counts as well: a dependency of
the mind is one too.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

FLOOR_0 = {"cvmpair.core"}
"""What all may import."""

ROOMS: dict[str, set[str]] = {
    "cvmpair.core": set(),
    "cvmpair.stores": set(),
    "cvmpair.snapshots": set(),
    "cvmpair.services": set(),
    "cvmpair.web": {"cvmpair.stores.protocol"},
    "cvmpair.settings": {"cvmpair.web.limits"},
    "cvmpair.parsers": {"cvmpair.web.limits"},
    "cvmpair.options": {
        "cvmpair.parsers",
        "cvmpair.settings",
        "cvmpair.web.limits",
    },
    "cvmpair.json_log": set(),
    "cvmpair.daemon": {
        "cvmpair.services",
        "cvmpair.settings",
        "cvmpair.snapshots",
        "cvmpair.stores",
        "cvmpair.terminal",
        "cvmpair.web",
    },
    "cvmpair.terminal": {"cvmpair.options"},
    "cvmpair.service": {
        "cvmpair.daemon",
        "cvmpair.json_log",
        "cvmpair.options",
        "cvmpair.services",
        "cvmpair.terminal",
    },
    "twisted.plugins.cvmpair_plugin": set(),
    "cvmpair.client": set(),
    "cvmpair.checks": set(),
    "cvmpair.facts": {
        "cvmpair.checks",
        "cvmpair.client.errors",
        "cvmpair.client.failures",
        "cvmpair.client.tls",
        "cvmpair.options",
        "cvmpair.services.endpoints",
        "cvmpair.settings",
        "cvmpair.snapshots",
    },
    "cvmpair.contexts": {"cvmpair_agent.context", "cvmpair_agent.errors"},
    "cvmpair.commands": {
        "cvmpair.client",
        "cvmpair.checks",
        "cvmpair.contexts",
        "cvmpair.facts",
        "cvmpair.options",
        "cvmpair.services.endpoints",
        "cvmpair.services.key_files",
        "cvmpair.snapshots",
        "cvmpair_agent.arguments",
        "cvmpair_agent.context",
        "cvmpair_agent.errors",
        "cvmpair_agent.files.replacing",
    },
    "cvmpair.cli": {
        "cvmpair.commands",
        "cvmpair.contexts",
        "cvmpair_agent.context.service_url",
        "cvmpair_agent.errors",
    },
    "cvmpair_agent.errors": set(),
    "cvmpair_agent.context": {"cvmpair_agent.errors"},
    "cvmpair_agent.files": {"cvmpair_agent.errors", "cvmpair_agent.context"},
    "cvmpair_agent.disks": {"cvmpair_agent.files.root"},
    "cvmpair_agent.userdata": {
        "cvmpair_agent.context",
        "cvmpair_agent.disks",
        "cvmpair_agent.errors",
        "cvmpair_agent.files.root",
    },
    "cvmpair_agent.pairing": {
        "cvmpair.client",
        "cvmpair_agent.context",
        "cvmpair_agent.errors",
    },
    "cvmpair_agent.arguments": set(),
    "cvmpair_agent.options": {
        "cvmpair_agent.arguments",
        "cvmpair_agent.userdata.source",
    },
    "cvmpair_agent.commands": {
        "cvmpair.client",
        "cvmpair_agent.context",
        "cvmpair_agent.disks",
        "cvmpair_agent.errors",
        "cvmpair_agent.files",
        "cvmpair_agent.options",
        "cvmpair_agent.pairing",
        "cvmpair_agent.userdata",
    },
    "cvmpair_agent.__main__": {"cvmpair_agent.main"},
    "cvmpair_agent.main": {
        "cvmpair_agent.commands",
        "cvmpair_agent.pairing",
        "cvmpair_agent.userdata",
        "cvmpair_agent.errors",
        "cvmpair_agent.options",
    },
}
"""For each room, what of ours it may import beyond itself and floor 0."""

ALLOWED_TWISTED_IN_CORE = {
    "twisted.internet.defer",
    "twisted.internet.interfaces",
    "twisted.logger",
}
"""None of these loads the reactor."""

RESERVED: dict[str, set[str]] = {
    "twisted.internet.reactor": {
        "cvmpair.service",
        "cvmpair.cli",
        "cvmpair_agent.main",
    },
    "sqlite3": {"cvmpair.snapshots"},
    "klein": {"cvmpair.web"},
    "prometheus_client": {"cvmpair.web"},
    "werkzeug": {"cvmpair.web"},
    "twisted.web": {"cvmpair.web", "cvmpair.client", "cvmpair_agent.userdata"},
    "treq": {"cvmpair.client", "cvmpair_agent.userdata"},
    "os": {
        "cvmpair.cli",
        "cvmpair.facts",
        "cvmpair.service",
        "cvmpair.snapshots",
        "cvmpair.terminal",
        "cvmpair_agent.disks",
        "cvmpair_agent.files",
        "cvmpair_agent.userdata",
        "cvmpair_agent.commands",
        "cvmpair_agent.main",
    },
    "fcntl": {"cvmpair.snapshots", "cvmpair_agent.pairing"},
    "time": {"cvmpair.commands", "cvmpair.service", "cvmpair_agent.main"},
    "socket": {"cvmpair.facts", "cvmpair.services", "cvmpair_agent.pairing"},
    "threading": set(),
    "asyncio": set(),
}
"""Which rooms may import what is not ours; everybody may import the rest."""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> list[Path]:
    # The agent's folder has another name than its package; the link has the right one.
    return [
        *ROOT.glob("cvmpair/**/*.py"),
        *ROOT.glob("twisted/**/*.py"),
        *(ROOT / "cvmpair_agent").glob("**/*.py"),
    ]


def imports(source: str) -> Iterator[str]:
    """
    Yield the full name of everything that a source imports, wherever it does.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, places: set[str]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def room_of(module: str) -> str | None:
    return next((room for room in ROOMS if within(module, {room})), None)


def objections(module: str, source: str) -> list[str]:
    """
    Say what a module of that name must not import of what it does.
    """
    room = room_of(module)
    if room is None:
        # The package itself says its version and nothing else.
        return list(imports(source))
    wrong = []
    for name in imports(source):
        if within(name, {"cvmpair", "cvmpair_agent"}) and name != "cvmpair.__version__":
            if not within(name, {room} | FLOOR_0 | ROOMS[room]):
                wrong.append(name)
        elif room == "cvmpair.core" and within(name, {"twisted"}):
            if not within(name, ALLOWED_TWISTED_IN_CORE):
                wrong.append(name)
        else:
            wrong += [
                name
                for reserved, rooms in RESERVED.items()
                if within(name, {reserved}) and room not in rooms
            ]
    return wrong


@pytest.mark.parametrize("path", modules(), ids=module_name)
def test_imports(path: Path) -> None:
    assert objections(module_name(path), path.read_text()) == []


@pytest.mark.parametrize("path", modules(), ids=module_name)
def test_core_opens_no_file(path: Path) -> None:
    if within(module_name(path), {"cvmpair.core"}):
        calls = [
            node.func.id
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        ]
        assert "open" not in calls


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("cvmpair.core.book", "import sqlite3"),
        ("cvmpair.core.book", "from cvmpair.stores import memory"),
        ("cvmpair.core.book", "from twisted.internet import reactor"),
        ("cvmpair.stores.memory", "from cvmpair.services.expiry import Expiry"),
        ("cvmpair.snapshots.sqlite", "from cvmpair.stores import protocol"),
        ("cvmpair.services.expiry", "def f():\n from twisted.internet import reactor"),
        ("cvmpair.web.api", "from cvmpair.stores.memory import MemoryStore"),
        ("cvmpair.web.api", "import sqlite3"),
        ("cvmpair.options", "from cvmpair.web.api import PairingAPI"),
        ("cvmpair", "import klein"),
    ],
)
def test_the_check_bites(module: str, source: str) -> None:
    assert objections(module, source)


def test_every_module_has_a_room() -> None:
    names = [module_name(path) for path in modules()]
    assert [name for name in names if room_of(name) is None] == [
        "cvmpair",
        "cvmpair_agent",
    ]
