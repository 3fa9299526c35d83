"""
``pair`` and ``ready``: the two times that the agent speaks with the service.
"""

from functools import partial
from random import random
from typing import Any

from attrs import evolve

from cvmpair.client.api import PairingClient
from cvmpair.client.transport import http_client
from cvmpair.core.backoff import steady
from cvmpair_agent.commands.local import (
    Say,
    fits,
    own_record,
    put_address,
    sources_of,
)
from cvmpair_agent.context.cluster import ClusterContext, Role
from cvmpair_agent.context.service_url import IN_CLEAR, is_in_clear
from cvmpair_agent.errors import AgentError, ContextWrong
from cvmpair_agent.files.instance import identify
from cvmpair_agent.files.record import Record, forget_record, write_record
from cvmpair_agent.files.root import Root
from cvmpair_agent.options import Options
from cvmpair_agent.pairing.address import Wish, own_address
from cvmpair_agent.pairing.asking import Asking
from cvmpair_agent.pairing.progress import Progress
from cvmpair_agent.pairing.publishing import publish
from cvmpair_agent.pairing.service import MASTER_IP, MASTER_READY, READY
from cvmpair_agent.pairing.waiting import wait_for_master
from cvmpair_agent.userdata.machine import Network
from cvmpair_agent.userdata.own_address import Scope, address_from_metadata
from cvmpair_agent.userdata.search import Search, doubts, search
from cvmpair_agent.userdata.source import Kind


async def pair(
    options: Options, reactor: Any, network: Network, progress: Progress, say: Say
) -> None:
    """
    Find the context, pair, and put the address of the master into the context.

    Whoever has paired before does the last only.

    :raises AgentError: if any of it fails; then nothing is kept of it, nor of a
        pairing for another context.
    """
    root = Root(options.root)
    record = own_record(root, say)
    came = await search(sources_of(options, network))
    found = came.found
    if found is None:
        if record is None:
            _check_sources(options, came)
        for line in doubts(came.looked):
            say(line)
        if options.context_file is not None:
            raise ContextWrong(
                f"--context-file {options.context_file}: it has no ucernvm section "
                "with a PIN"
            )
        if record is None:
            say("no source has a context with a PIN, so there is nothing to do")
            return
    else:
        say(f"found the context: {found.data.source}, {found.data.place}")
        for warning in found.cluster.warnings:
            say(warning)
        if record is None or not fits(record, found.cluster):
            # Whatever comes of this, no other cluster is told that this machine is
            # ready, and no address of it is put into this context.
            forget_record(root)
            _warn(found.cluster, say)
            record = await _pair(found.cluster, options, reactor, network, progress)
            put_address(options, record.master, say)
            write_record(root, record)
            say(f"paired as {record.role.value}")
            return
    say(f"this machine has paired before, as {record.role.value}")
    put_address(options, record.master, say)


def _check_sources(options: Options, came: Search) -> None:
    """
    See that there is nothing to pair for, and not only nothing that could be read.

    A metadata server that nobody has named may refuse whom it has nothing for.

    :raises ContextWrong: if that cannot be said.
    """
    if options.metadata_server is not None and (silent := came.unasked(Kind.METADATA)):
        raise ContextWrong(
            f"--metadata-server could not be asked: {'; '.join(doubts(silent))}"
        )
    if unreadable := came.unreadable():
        raise ContextWrong(
            "There are user data that cannot be read, so it cannot be said whether to "
            f"pair: {'; '.join(doubts(unreadable))}"
        )


async def ready(options: Options, reactor: Any, progress: Progress, say: Say) -> None:
    """
    Publish that this machine has booted, if it is a master that has paired.

    :raises AgentError: if that fails.
    """
    root = Root(options.root)
    record = own_record(root, say)
    if record is None:
        # Either there was nothing to pair for, or pairing has failed.
        say("this machine has not paired, so there is nothing to announce")
        return
    if record.role is not Role.MASTER:
        say("this machine is a worker; only a master announces that it is ready")
        return
    if record.ready:
        say("announced before")
        return
    _warn(record, say)
    client = _client(options, reactor, record)
    asking = _asking(options, reactor, progress, client)
    await publish(asking, client, pin=record.pin, key=MASTER_READY, value=READY)
    write_record(root, evolve(record, ready=True))
    say("announced that the master is ready")


def _warn(known: ClusterContext | Record, say: Say) -> None:
    if known.token is not None and is_in_clear(known.service_url):
        say(IN_CLEAR)


async def _pair(
    cluster: ClusterContext,
    options: Options,
    reactor: Any,
    network: Network,
    progress: Progress,
) -> Record:
    client = _client(options, reactor, cluster)
    asking = _asking(options, reactor, progress, client)
    if cluster.role is Role.MASTER:
        wish = _wish(options, network)
        master = await own_address(asking, reactor, cluster.service_url, wish)
        await publish(asking, client, pin=cluster.pin, key=MASTER_IP, value=master)
    else:
        master = await wait_for_master(asking, client, cluster.pin)
    return Record(
        instance=identify(Root(options.root)),
        pin=cluster.pin,
        role=cluster.role,
        service_url=cluster.service_url,
        master=master,
        token=cluster.token,
        fingerprint=cluster.fingerprint,
    )


def _asking(
    options: Options, reactor: Any, progress: Progress, client: PairingClient
) -> Asking:
    return Asking(
        clock=reactor,
        progress=progress,
        seconds=options.timeout,
        tries=options.tries,
        delays=partial(steady, options.delay, options.jitter, random),
        silence=lambda: client.silence,
    )


def _client(
    options: Options, reactor: Any, known: ClusterContext | Record
) -> PairingClient:
    url = known.service_url
    pinned = options.service_fingerprint or known.fingerprint
    if pinned is not None and not url.startswith("https:"):
        raise ContextWrong(
            "--service-fingerprint needs a service with https://, and the context "
            "names one without."
        )
    try:
        http = http_client(reactor, url, options.ca_file, pinned=pinned)
    except ValueError as error:
        raise ContextWrong(str(error)) from None
    try:
        return PairingClient(base_url=url, http=http, clock=reactor, token=known.token)
    except ValueError as error:
        raise AgentError(str(error)) from None


def _wish(options: Options, network: Network) -> Wish:
    ask = None
    if options.ip_from_metadata is not None:
        scope = Scope(options.ip_from_metadata)
        ask = partial(address_from_metadata, network, scope)
    return Wish(address=options.address, interface=options.interface, ask=ask)
