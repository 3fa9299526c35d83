"""
The command ``cvmpair``: a thin layer over :mod:`cvmpair.commands`.

What Twisted has to do with is imported only where the network is needed.
"""

import argparse
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

from cvmpair.commands.cluster import KnownCluster
from cvmpair.commands.context import ContextCommand
from cvmpair.commands.doctor import run as run_doctor
from cvmpair.commands.output import STANDARD_OUTPUT, naming
from cvmpair.commands.parser import SERVICE_URL, parser
from cvmpair.commands.signals import end_by, first_signal
from cvmpair.commands.snapshot import run as run_snapshot
from cvmpair.contexts.block import service_url
from cvmpair.core.fingerprint import check_fingerprint
from cvmpair_agent.context.service_url import IN_CLEAR, is_in_clear
from cvmpair_agent.errors import AgentError, ContextWrong

T = TypeVar("T")


def run(options: argparse.Namespace, daemon: Sequence[str] = ()) -> None:
    """
    Do what the command line says.

    :param daemon: the words after ``--``, which are the daemon's.
    :raises AgentError: if that fails.
    """
    if options.command == "snapshot":
        run_snapshot(options)
        return
    word = options.service_url or os.environ.get(SERVICE_URL) or None
    url = None if word is None else service_url(word, is_shown=True)
    if options.command == "doctor":
        _check_fingerprint(options, url)
        run_doctor(options, daemon, url)
        return
    asks = options.command == "new" or options.new
    if asks and url is None:
        raise ContextWrong(f"Name the service with --service-url or ${SERVICE_URL}.")
    if options.ca_file is not None and not asks:
        raise ContextWrong("--ca-file is of use only with --new.")
    _check_fingerprint(options, url)
    if options.command == "context":
        ContextCommand(
            options=options,
            service_url=url,
            create=lambda keep: _create(url or "", options, keep),
        ).run()
        return

    def show(cluster: KnownCluster) -> None:
        with naming(STANDARD_OUTPUT):
            print(cluster.to_json() if options.json else cluster.to_lines(), flush=True)

    cluster = _create(url or "", options, show)
    if cluster.tokens and url is not None and is_in_clear(url):
        print(f"cvmpair: {IN_CLEAR}", file=sys.stderr)


def _check_fingerprint(options: argparse.Namespace, url: str | None) -> None:
    word = options.service_fingerprint
    wanted = word is not None or options.pin_server
    if wanted and url is not None and not url.startswith("https:"):
        raise ContextWrong(
            "--service-fingerprint and --pin-server need a service URL that begins "
            "with https://."
        )
    try:
        options.service_fingerprint = None if word is None else check_fingerprint(word)
    except ValueError as error:
        raise ContextWrong(f"--service-fingerprint {error}.") from None


def _create(
    url: str, options: argparse.Namespace, keep: Callable[[KnownCluster], object]
) -> KnownCluster:
    from cvmpair.commands.new import create_cluster  # noqa: PLC0415  it imports Twisted

    return _wait_for(
        lambda reactor: create_cluster(
            reactor,
            url,
            keep,
            ca_file=options.ca_file,
            pinned=options.service_fingerprint,
            pin_server=options.pin_server,
            protected=options.protected,
        )
    )


def _wait_for(ask: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    """
    Run the reactor until there is a result.
    """
    from twisted.internet import reactor  # noqa: PLC0415
    from twisted.internet.defer import Deferred  # noqa: PLC0415
    from twisted.internet.error import ReactorNotRunning  # noqa: PLC0415

    clock: Any = reactor
    results: list[T] = []
    failures: list[Exception] = []
    signals: list[int] = []

    def stop() -> None:
        with suppress(ReactorNotRunning):
            clock.stop()

    def interrupt(number: int) -> None:
        signals.append(number)
        clock.callFromThread(stop)

    async def main() -> None:
        try:
            results.append(await ask(clock))
        except Exception as failed:
            failures.append(failed)
        stop()

    clock.callWhenRunning(lambda: Deferred.fromCoroutine(main()))
    with first_signal(interrupt):
        clock.run(installSignalHandlers=False)
    if signals:
        end_by(signals[0])
    if failures:
        raise failures[0]
    return results[0]


def _forget_output() -> None:
    """
    Keep what cannot be written from being tried again at exit.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(words: Sequence[str] | None = None) -> NoReturn:
    """
    Run the command and end the process; every failure is one line on standard error.
    """
    status = 0
    try:
        given = list(sys.argv[1:] if words is None else words)
        ours, daemon = given, []
        # argparse would take what follows for ours.
        if given[:1] == ["doctor"] and "--" in given:
            ours, daemon = given[: given.index("--")], given[given.index("--") + 1 :]
        with first_signal(end_by):
            run(parser().parse_args(ours), daemon)
    except AgentError as failed:
        print(f"cvmpair: {failed}", file=sys.stderr)
        _forget_output()
        status = failed.exit_code
    except OSError as failed:
        place = f"{failed.filename}: " if failed.filename else ""
        print(f"cvmpair: {place}{failed.strerror}", file=sys.stderr)
        _forget_output()
        status = 1
    raise SystemExit(status)


if __name__ == "__main__":
    main()
