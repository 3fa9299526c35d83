"""
The command ``cvmpair-agent``.

Twisted is loaded only for what needs the network: a machine boots faster without.
"""

import os
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from cvmpair_agent.commands.local import apply
from cvmpair_agent.commands.source import source
from cvmpair_agent.commands.status import status
from cvmpair_agent.errors import AgentError, ContextWrong
from cvmpair_agent.options import Options, parse
from cvmpair_agent.userdata.drive import drive
from cvmpair_agent.userdata.machine import Network

INTERRUPTED = 130
"""The exit code of what was ended from outside, as shells have it for ``SIGINT``."""


def main(arguments: list[str] | None = None) -> None:
    """
    Run the command line, and end the process with an exit code.
    """
    options = parse(arguments)
    try:
        code = _run(options)
    except AgentError as error:
        say(str(error))
        code = error.exit_code
    except BrokenPipeError:
        # Whoever read standard output has gone, and knows why.
        code = 1
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        import traceback  # noqa: PLC0415

        # Its text may hold anything, the PIN for one.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        say(
            f"this is a defect of cvmpair-agent: {type(error).__name__} at "
            f"{os.path.basename(frame.filename)}:{frame.lineno}"  # noqa: PTH119
        )
        code = 1
    sys.exit(code)


def say(line: str) -> None:
    """
    Tell people something, on standard error.
    """
    print(f"cvmpair-agent: {line}", file=sys.stderr, flush=True)


def write(text: str) -> None:
    """
    Write to standard output, what is not UTF-8 as it was.

    :raises BrokenPipeError: if nobody reads it.
    :raises AgentError: if it cannot be written for another reason.
    """
    try:
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
    except OSError as error:
        # Nor is it to be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise AgentError(
            f"Standard output cannot be written: {error.strerror}."
        ) from None


def _run(options: Options) -> int:
    if not options.root.is_dir():
        raise ContextWrong(f"--root {options.root}: there is no such directory.")
    match options.command:
        case "apply":
            apply(options, say)
            return 0
        case "status":
            status(options, say, write)
            return 0
        case "source" if options.context_file is not None:
            drive(source(options, None, say, write))
            return 0
    return _run_with_network(options)


def _run_with_network(options: Options) -> int:
    # Loaded here, see above.
    from twisted.internet import reactor  # noqa: PLC0415

    from cvmpair_agent.commands.pair import pair, ready  # noqa: PLC0415
    from cvmpair_agent.pairing.progress import progress_on  # noqa: PLC0415
    from cvmpair_agent.userdata.http import DirectHttp  # noqa: PLC0415
    from cvmpair_agent.userdata.probe import TcpProbe  # noqa: PLC0415

    clock: Any = reactor
    # The timers of the reactor would follow every step of the wall clock, and a machine
    # that boots sees its clock being set.
    clock.seconds = time.monotonic
    network = Network(
        http=DirectHttp(clock),
        probe=TcpProbe(clock),
        server=options.metadata_server,
    )
    progress = progress_on(sys.stderr, clock)
    match options.command:
        case "pair":
            return _react(clock, lambda: pair(options, clock, network, progress, say))
        case "ready":
            return _react(clock, lambda: ready(options, clock, progress, say))
    return _react(clock, lambda: source(options, network, say, write))


def _react(reactor: Any, begin: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """
    Run a coroutine in the reactor, to its end or to that of the process.
    """
    import signal  # noqa: PLC0415

    from twisted.internet.defer import Deferred  # noqa: PLC0415
    from twisted.python.failure import Failure  # noqa: PLC0415

    ended: list[Failure | None] = []
    interrupted = False

    def on_signals(handler: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, handler)

    def end(result: Failure | None) -> None:
        ended.append(result)
        # Whoever is impatient is not to spoil the exit code.
        on_signals(signal.SIG_IGN)
        reactor.stop()

    def run() -> None:
        running = Deferred.fromCoroutine(begin())

        def interrupt() -> None:
            nonlocal interrupted
            interrupted = interrupted or not ended
            running.cancel()

        # The reactor's own handlers log a failure when a second signal comes.
        on_signals(lambda *_: reactor.callFromThread(interrupt))
        running.addBoth(end)

    reactor.callWhenRunning(run)
    reactor.run(installSignalHandlers=False)
    if interrupted:
        say("interrupted")
        return INTERRUPTED
    failure = ended[0]
    if failure is not None:
        failure.raiseException()
    return 0
