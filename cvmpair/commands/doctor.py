"""
``cvmpair doctor``: look at everything that the daemon needs, and say what to do.
"""

import json
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import Any, Final

from attrs import asdict

from cvmpair.checks.clock import ClockFacts, check_clock
from cvmpair.checks.configuration import check_endpoints
from cvmpair.checks.keys import check_keys
from cvmpair.checks.limits import bytes_per_waiter, check_limits, check_proxies
from cvmpair.checks.listening import check_listening, check_saving
from cvmpair.checks.service import ServiceFacts, check_service
from cvmpair.checks.state import check_state
from cvmpair.checks.verdict import Level, Verdict, fail, ok
from cvmpair.commands.output import STANDARD_OUTPUT, naming
from cvmpair_agent.errors import AgentError, ContextWrong

_EPILOG: Final = """\
After -- come the daemon's own options, so that they are checked as well:

  cvmpair doctor --service-url http://pairing.example.org:8080 -- --listen tcp:8080

Run it as the user whom the daemon runs as, or as root. The exit code is 0 if nothing
has failed.
"""


def add_doctor(commands: Any) -> Any:
    """
    Add the command to those of a parser, which has it name the service as well.
    """
    doctor = commands.add_parser(
        "doctor",
        help="look at everything that the daemon needs, and say what to do",
        description="Look at everything that the daemon needs, and say what to do.",
        epilog=_EPILOG,
    )
    doctor.add_argument(
        "--state-dir", metavar="DIRECTORY", help="the daemon's [default: state]"
    )
    doctor.add_argument(
        "--listen", metavar="ENDPOINT", help="the daemon's; more of them after --"
    )
    doctor.add_argument(
        "--try",
        dest="trial",
        action="store_true",
        help="create a PIN at the service and delete it again",
    )
    doctor.add_argument(
        "--json", action="store_true", help="print the verdicts as JSON"
    )
    # It has --service-fingerprint, which is checked together with that.
    doctor.set_defaults(pin_server=False)
    return doctor


def run(options: Namespace, daemon: Sequence[str], service_url: str | None) -> None:
    """
    Print the verdicts.

    :param daemon: the words for the daemon.
    :raises AgentError: if one is a failure.
    """
    if options.trial and service_url is None:
        raise ContextWrong("--try needs a service: name it with --service-url.")
    given = {"--state-dir": options.state_dir, "--listen": options.listen}
    words = [*daemon, *(f"{name}={word}" for name, word in given.items() if word)]
    verdicts = list(_verdicts(options, words, service_url))
    if options.json:
        text = json.dumps([_members(verdict) for verdict in verdicts], indent=1)
    else:
        text = "\n".join(_line(verdict) for verdict in verdicts)
    with naming(STANDARD_OUTPUT):
        print(text, flush=True)
    failed = sum(verdict.level is Level.FAIL for verdict in verdicts)
    if failed:
        raise AgentError(f"{failed} of {len(verdicts)} checks failed")


def _verdicts(
    options: Namespace, words: Sequence[str], service_url: str | None
) -> Iterator[Verdict]:
    # Only here, because Twisted and TLS take time to import.
    from cvmpair.facts.configuration import settings_of, unusable  # noqa: PLC0415
    from cvmpair.facts.host import is_synchronised, limit_facts  # noqa: PLC0415
    from cvmpair.facts.listening import listening  # noqa: PLC0415
    from cvmpair.facts.service import ServiceProbe  # noqa: PLC0415
    from cvmpair.facts.state import state_facts  # noqa: PLC0415
    from cvmpair.services.endpoints import BACKLOG, TLS_KINDS  # noqa: PLC0415
    from cvmpair.services.key_files import exposed_keys  # noqa: PLC0415

    service: ServiceFacts | None = None
    shown: float | None = None
    if service_url is not None:
        try:
            probe = ServiceProbe(
                service_url, options.ca_file, options.service_fingerprint
            )
        except ValueError as error:
            raise ContextWrong(str(error)) from None
        service = probe.facts(trial=options.trial)
        shown = probe.time
    mark, protected = None, False
    try:
        settings = settings_of(words)
    except ValueError as error:
        yield fail("configuration", str(error), "twistd cvmpair --help lists them")
    else:
        yield ok("configuration", f"to listen on {', '.join(settings.listen)}")
        yield from check_endpoints(unusable(settings))
        endpoints = (*settings.listen, *settings.admin_listen)
        yield from check_keys([key for one in endpoints for key in exposed_keys(one)])
        protected = settings.require_protected
        state = state_facts(settings.state_dir)
        mark = state.mark
        yield from check_state(state)
        addresses = list(listening(settings, state))
        yield from check_listening(addresses)
        yield from check_saving(
            addresses, runs=state.holder is not None, tried=options.trial
        )
        tls = any(one.partition(":")[0] in TLS_KINDS for one in settings.listen)
        yield from check_limits(
            limit_facts(state.holder),
            waiters=settings.max_waiters,
            clusters=settings.limits.clusters,
            tombstones=settings.limits.tombstones,
            backlog=BACKLOG,
            per_waiter=bytes_per_waiter(tls=tls, protected=protected),
        )
        yield from check_proxies(settings.client_limits.trusted_proxies)
    yield from check_clock(
        ClockFacts(
            synchronised=is_synchronised(), now=time.time(), service=shown, mark=mark
        )
    )
    yield from check_service(service, protected=protected)


def _members(verdict: Verdict) -> dict[str, str]:
    return asdict(verdict) | {"level": verdict.level.value}


def _line(verdict: Verdict) -> str:
    step = f"; {verdict.next_step}" if verdict.next_step else ""
    return f"{verdict.level.value:5}{verdict.about}: {verdict.text}{step}"
