"""
The log as JSON, one object a line, with ``--log-format json``.

A line says what its text says, and the fields of our own events beside it. Of the
events of others it has the text alone, and of a failure the traceback as text: what
they carry besides could hold a PIN.
"""

import json
import signal
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from twisted.logger import FileLogObserver, LogEvent, eventAsText
from twisted.python.logfile import LogFile
from twisted.python.usage import Options

OURS: Final = "cvmpair."
"""What the name spaces of our loggers begin with."""

BATCH: Final = "requests"
"""The field of an event that stands for several lines, each with its own fields."""

_PLAIN: Final = (str, int, float, bool, type(None))


def json_lines(event: LogEvent) -> str:
    """
    Return an event as one line, or as several if it stands for several.
    """
    level = event.get("log_level")
    head = {
        "time": _rfc3339(event.get("log_time", 0.0)),
        "level": getattr(level, "name", "info"),
        "namespace": event.get("log_namespace", ""),
    }
    return "".join(f"{json.dumps(head | words | head)}\n" for words in _lines(event))


def _lines(event: LogEvent) -> Iterator[dict[str, Any]]:
    # The text is that of the log in text, traceback and all.
    text = eventAsText(event, includeTimestamp=False, includeSystem=False)
    if not str(event.get("log_namespace")).startswith(OURS):
        yield {"message": text}
    elif BATCH in event:
        for line, fields in zip(text.split("\n"), event[BATCH], strict=True):
            yield _fields(fields) | {"message": line}
    else:
        yield _fields(event) | {"message": text}


def _fields(event: Mapping[str, Any]) -> dict[str, Any]:
    # What Twisted itself puts in begins with log_.
    return {
        name: value
        for name, value in event.items()
        if not name.startswith("log_") and _is_plain(value)
    }


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(part, _PLAIN) for part in value.values())
    return isinstance(value, _PLAIN)


def _rfc3339(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def json_observer(file: TextIO) -> FileLogObserver:
    """
    Return what writes events to a file as JSON.
    """
    return FileLogObserver(file, json_lines)


def log_in_json(launcher: Options, reactor: Any) -> FileLogObserver | None:
    """
    Have ``twist`` log in JSON, or return what ``twistd`` is to log with instead of its
    own observer: it asks the application for that, which does not exist yet.

    :param launcher: the options of the one or the other.
    :raises ValueError: if they want another log.
    """
    if "fileLogObserverFactory" in launcher:
        launcher["fileLogObserverFactory"] = json_observer
        return None
    for name in "syslog", "logger":
        if launcher.get(name):
            raise ValueError(f"json goes to a file or to standard output, not --{name}")
    place, daemon = launcher.get("logfile") or "", not launcher.get("nodaemon")
    if place == "-" and daemon:
        raise ValueError("json cannot go to standard output in the background")
    if place == "-" or (not place and not daemon):
        return json_observer(sys.stdout)
    # The same file as twistd would open, rotated as well and by the same signal.
    file: Any = LogFile.fromFullPath(place or "twistd.log")
    if not signal.getsignal(signal.SIGUSR1):
        signal.signal(signal.SIGUSR1, lambda *_: reactor.callFromThread(file.rotate))
    return json_observer(file)
