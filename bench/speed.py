"""
Requests per second, side by side with the peers in the same turn.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from attrs import define, field

from bench import peers, servers, state
from bench.figures import Figure, ratios
from bench.load import Load, run
from bench.plan import Plan
from bench.servers import Expected, Server, WrongAnswer

CLUSTERS = "/api/v1/clusters"
CLUSTERS_A_SECOND = 1000
"""
How many clusters are prepared for each second of load.

At 60 times as many POSTs the clusters would be full.
"""

ETCD_KEYS = 1000
OURS = "cvmpair"

NAMES = {"bare": "bare twisted.web", "etcd": "etcd", "nginx": "nginx with a constant"}

TARGETS: Mapping[str, Mapping[str, float | None]] = {
    "GET of a key, kept alive": {"bare": 3.0, "etcd": 1.2, "nginx": None},
    "GET of a key, a new connection each": {"bare": 1.6, "etcd": 1.0},
    "POST of a key, synced": {"bare": 0.4, "etcd": 0.8},
    "creation of a cluster, synced": {"bare": None},
}
"""
For each contest, how many times as fast as a peer the daemon is to be.
"""

Entrant = Callable[[int], Load]


@define(eq=False)
class Contest:
    """
    Runs that are compared, of each entrant one in each turn; the first warms up.

    :ivar entrants: those that start a run, given the number of the turn.
    """

    measured: str
    entrants: Mapping[str, Entrant]
    loads: dict[str, list[Load]] = field(init=False)

    @loads.default
    def _none_yet(self) -> dict[str, list[Load]]:
        return {name: [] for name in self.entrants}

    def take_turn(self, turn: int) -> None:
        """
        Let each of them run.
        """
        for name, entrant in self.entrants.items():
            self.loads[name].append(entrant(turn))

    def figures(self) -> list[Figure]:
        """
        Return the ratios of the daemon to its peers.
        """
        rates = {
            name: [load.rate for load in loads[1:]]
            for name, loads in self.loads.items()
        }
        cpu = {
            f"{name}, µs of CPU a request": [
                load.cpu_microseconds for load in loads[1:]
            ]
            for name, loads in self.loads.items()
        }
        return [
            Figure(
                f"{self.measured}: ratio to {_peer(self.measured, peer)}",
                ratios(rates[OURS], rates[peer]),
                "{:.2f}",
                f"{median(rates[OURS]):,.0f}/s to {median(rates[peer]):,.0f}/s",
                at_least=at_least,
                raw={**rates, **cpu},
            )
            for peer, at_least in TARGETS[self.measured].items()
            if peer in rates
        ]


def _peer(measured: str, peer: str) -> str:
    if measured.startswith("GET"):
        return NAMES[peer] + (" v2" if peer == "etcd" else "")
    return "an etcd v3 put" if peer == "etcd" else "a bare twisted.web's GET"


def measure(plan: Plan) -> list[Figure]:
    """
    Let all servers run side by side and load them in turn.

    :raises WrongAnswer: if one answers wrongly, or if the daemon keeps less
        than it acknowledged.
    """
    room = plan.room("speed")
    count = CLUSTERS_A_SECOND * plan.seconds * (plan.repetitions + 1)
    prepared = state.prepare(room / "state", count)
    text = state.first_text(0)
    with ExitStack() as stack:
        running = {"bare": stack.enter_context(peers.bare(text, room))}
        if "etcd" in plan.peers:
            running["etcd"] = stack.enter_context(peers.etcd(room))
            fill_etcd(running["etcd"], prepared)
        if "nginx" in plan.peers:
            running["nginx"] = stack.enter_context(peers.nginx(text, room))
        running[OURS] = stack.enter_context(servers.daemon(prepared.directory))
        checks = _checks(running, prepared)
        for name, check in checks.items():
            running[name].wait_for(check)
        contests = _contests(running, prepared, room, plan.seconds)
        for turn in range(plan.repetitions + 1):
            for contest in contests:
                contest.take_turn(turn)
            for name, check in checks.items():
                running[name].check(check)
            daemon = running[OURS]
            # wrk never sends the first request: it only looks at it.
            daemon.check(prepared.key(1, f"turn{turn}_0", "10.0.0.1"))
            daemon.check(Expected(CLUSTERS, None, "POST", 201))
    # The daemon was killed just now, so this is what a crash would leave.
    *_, post, create = contests
    check_kept(
        state.count_kept(prepared.directory),
        clusters=count + acknowledged(create),
        keys=count * state.KEYS + acknowledged(post),
    )
    return [figure for contest in contests for figure in contest.figures()]


def fill_etcd(etcd: Server, prepared: state.Prepared) -> None:
    """
    Let etcd hold what the first clusters hold.
    """
    etcd.wait_for(peers.ETCD_HEALTHY)
    for number, pin in enumerate(prepared.pins[:ETCD_KEYS]):
        path = f"{pin}/{state.FIRST_KEY}"
        etcd.check(peers.etcd_put(path, state.address(number)))


def acknowledged(contest: Contest) -> int:
    """
    Return how many requests of it the daemon acknowledged.
    """
    return sum(load.requests for load in contest.loads[OURS])


def check_kept(kept: tuple[int, int], *, clusters: int, keys: int) -> None:
    """
    Compare what is in the file with what must be there at least.

    wrk does not count the last answers, which were on their way when it stopped.

    :raises WrongAnswer: if something is missing.
    """
    if kept[0] < clusters or kept[1] < keys:
        raise WrongAnswer(
            f"{clusters} clusters and {keys} keys were acknowledged, "
            f"{kept[0]} and {kept[1]} are in the file"
        )


def _checks(
    running: Mapping[str, Server], prepared: state.Prepared
) -> Mapping[str, Expected]:
    constant = Expected("/", state.first_text(0))
    path = f"{prepared.pins[0]}/{state.FIRST_KEY}"
    every = {
        "bare": constant,
        "nginx": constant,
        "etcd": peers.etcd_get(path, state.address(0)),
        OURS: prepared.first_key(0),
    }
    return {name: every[name] for name in running}


def _contests(
    running: Mapping[str, Server], prepared: state.Prepared, room: Path, seconds: int
) -> Sequence[Contest]:
    pins = prepared.pins
    files = {name: room / f"paths-{name}" for name in running}
    for name, file in files.items():
        paths = [
            expected.path for expected in map(prepared.first_key, range(len(pins)))
        ]
        if name == "etcd":
            paths = [f"/v2/keys/{pin}/{state.FIRST_KEY}" for pin in pins[:ETCD_KEYS]]
        file.write_text("".join(f"{path}\n" for path in paths))
    pins_file = room / "pins"
    pins_file.write_text("".join(f"{pin}\n" for pin in pins))

    def get(name: str, connection: str) -> Entrant:
        words = (files[name], connection)
        return lambda _turn: run(running[name], "get.lua", "/", seconds, *words)

    def post(turn: int) -> Load:
        words = (pins_file, f"turn{turn}")
        return run(running[OURS], "post_key.lua", "/", seconds, *words)

    def put(turn: int) -> Load:
        return run(running["etcd"], "put_etcd.lua", "/", seconds, turn)

    def create(_turn: int) -> Load:
        return run(running[OURS], "create.lua", CLUSTERS, seconds)

    bare = {"bare": get("bare", "keep")}
    kept = {name: get(name, "keep") for name in running}
    closed = {name: get(name, "close") for name in running if name != "nginx"}
    puts = {"etcd": put} if "etcd" in running else {}
    entrants = [kept, closed, {**bare, **puts, OURS: post}, {**bare, OURS: create}]
    return [Contest(*each) for each in zip(TARGETS, entrants, strict=True)]
