"""`make demo`: a sample province on this machine, both portals, ready to file. Nothing in it is real or secret."""

import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import text

from admin import appointments, evidence_check, ledger, rehearsal, sealing, storekeeping, watch, wiping
from admin.appointments import Password
from admin.cast import CLASSES, OFFICE, Cast, SignIn, introduction, officer_lines, private
from admin.officers import Role
from admin.rehearsal import Player
from admin.sending import Post, ToLog
from admin.stage import Process, Stage, StageError, erase, require_free, stage
from app.db import Database
from app.errors import Unavailable
from app.web.formats import ZONE
from cards.lots import Made
from config.keys import SealKeys

LOT: Final = "0001"
CARDS, SPARE = 230, 10
#: every so many-th candidate has fetched no card yet, for whom there are more on the way down
ABSENT: Final = 12
STORE, STORED = "0002", 40
BATCH: Final = "1"
PASSWORD: Final = "xiangjiang-2017-demo"  # noqa: S105 -- printed at every start
#: others who have been here before, so that the statistics have something to show
ACTIVATED, FILED = 36, 24
_MARK: Final = "demo.begun"
_STATE: Final = "demo.json"


@dataclass(frozen=True)
class Wish:
    """What the command line asks for."""

    directory: Path
    fresh: bool
    port: int
    offices_port: int
    candidates: int


def run(wish: Wish, tell: Callable[[str], object]) -> None:
    """Bring everything up, print how to get in, and stay until Ctrl-C or SIGTERM. Raises `StageError`."""
    started = time.monotonic()
    require_free(wish.port, "--port")
    require_free(wish.offices_port, "--offices-port")
    _prepare(wish)
    with _interruptible(), ExitStack() as up:
        try:
            where = up.enter_context(stage(wish.directory))
            portals = up.enter_context(where.portals({"candidates": wish.port, "offices": wish.offices_port}))
            cast = _cast(where, wish.candidates, tell)
            up.enter_context(where.schedule())
            up.enter_context(where.beside(*_processes(where)))
            for portal in portals:
                portal.wait_until_ready()
            tell(introduction(where, cast, portals, time.monotonic() - started))
            _stay(cast, portals, tell)
        finally:
            _deaf()
    tell("Everything is stopped. `make demo` goes on where this ended.")


def _prepare(wish: Wish) -> None:
    """Empty the directory where that is asked for or an earlier start was broken off; never somebody else's."""
    directory = wish.directory
    ours = (directory / _MARK).exists()
    if directory.exists() and any(directory.iterdir()) and not ours:
        raise StageError(f"{directory} holds other files; name an empty or a new directory with --directory")
    if ours and (wish.fresh or not (directory / _STATE).exists()):
        erase(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / _MARK).touch()
    (directory / ".gitignore").write_text("*\n")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the block as Ctrl-C does, and let all three end it quietly."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = {one: signal.signal(one, stop) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _deaf() -> None:
    """Once stopping has begun, another Ctrl-C must not break it off."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)


def post_to(where: Stage, log: Path) -> Post:
    """A post office that writes the stage's messages into a file."""
    return Post(where.database, where.sealer, ToLog(log), where.settings.site.hotline)


def _processes(where: Stage) -> Iterator[Callable[[threading.Event], object]]:
    """What a deployment runs beside the portals and the schedule: the sender, the sealer, the seals, the watch."""
    database, seal_keys = where.database, where.settings.seal_keys()
    keys = evidence_check.Keys(where.keys.card_key, where.keys.receipt_public_keys())
    yield post_to(where, where.directory / "messages.log").until_stopped
    yield lambda stopped: ledger.watch(database, seal_keys, stopped)
    yield lambda stopped: _seal(database, seal_keys, stopped)
    yield lambda stopped: watch.follow(database, keys, where.settings.watch, stopped, lambda _: None)


def _seal(database: Database, keys: SealKeys, stopped: threading.Event) -> None:
    """Seal what has closed, every minute, as by `python -m admin seal due`."""
    while not stopped.is_set():
        with suppress(Unavailable):
            list(sealing.seal_due(database, keys))
        stopped.wait(60)


# --- who is in it ------------------------------------------------------------------------------------


def _cast(where: Stage, candidates: int, tell: Callable[[str], object]) -> Cast:
    state = where.directory / _STATE
    if state.exists():
        tell(f"the province of the last time is in {where.directory} (another one: --fresh)")
        if rehearsal.open_again(where):
            tell("its windows were over; all are moved so that the ordinary batches are open again")
        return Cast.load(state)
    wiping.mark(where.database)
    with (
        rehearsal.lot_in_the_making(where.keys, LOT, CARDS) as lot,
        rehearsal.lot_in_the_making(where.keys, STORE, STORED) as store,
    ):
        rehearsal.load(where, candidates, tell)
        players = rehearsal.hand_out(where, OFFICE[0], lot(), SPARE, ABSENT)
    tell(f"{len(players):>7} cards handed to candidates of {OFFICE[1]}, {CARDS - len(players)} left in stock")
    able = [player for player in players if player.candidate_no[9] in CLASSES]
    if len(able) < ACTIVATED + 2:
        raise StageError("the sample is too small for the demo; give --candidates 2000 or more")
    _crowd(where, able[1 : ACTIVATED + 1])
    tell(f"{ACTIVATED:>7} candidates activated, {FILED} of them filed in batch {BATCH}")
    cast = Cast(_officers(where, able[0]), players)
    lying = storekeeping.bring_down(where, store())
    tell(f"{lying.count:>7} cards in stock at {able[0].point}, others on the way to its county")
    _write_stock(where.directory / "stock.csv", store().cards)
    _write_cards(where.directory / "cards.csv", players)
    cast.save(state)
    return cast


def _crowd(where: Stage, players: Sequence[Player]) -> None:
    def act(at: int) -> None:
        session_id = rehearsal.activate(where, players[at], PASSWORD)
        if at >= ACTIVATED - FILED:
            rehearsal.file(where, players[at], session_id, BATCH, 1 + at % 5)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(act, range(len(players))))


def _officers(where: Stage, player: Player) -> list[SignIn]:
    """Officers along one line of offices, down to the point of the newcomer."""
    with where.database.reading() as connection:
        line = connection.execute(
            text("""
                SELECT o.code, o.name, o.level FROM candidates c JOIN offices p ON p.id = c.point_id
                JOIN offices o ON p.path LIKE o.path || '%' WHERE c.id = :candidate ORDER BY length(o.path)
            """),
            {"candidate": player.id},
        ).all()
    appointed: list[SignIn] = []
    until = datetime.now(UTC) + timedelta(days=365)
    for office in line:
        for suffix, role, name in _OFFICERS[office.level]:
            login = f"{office.level}{suffix}"
            made = appointments.appoint(
                where.database,
                where.keys,
                login=login,
                name=f"{name}（演示）",
                office_code=office.code,
                role=role,
                until=until,
                chosen=Password.of(f"{login}-2017-demo", where.keys),
            )
            appointed.append(SignIn(login, f"{login}-2017-demo", made.totp_secret or "", office.name, role))
    return appointed


#: ends of logins, and whose they are
_OFFICERS: Final[dict[str, list[tuple[str, Role, str]]]] = {
    "province": [
        ("", "approver", "周建国"),
        ("2", "approver", "李慧敏"),
        (".auditor", "auditor", "陈志远"),
        (".admin", "system_admin", "王海燕"),
    ],
    "prefecture": [("", "approver", "刘春梅")],
    "county": [("", "approver", "张立军"), (".admin", "system_admin", "黄丽娟")],
    "point": [("", "operator", "吴晓东")],
}


def _write_cards(path: Path, players: Sequence[Player]) -> None:
    with private(path) as file:
        file.write("\ufeffcandidate,name,point,last six of identity number,password,serial,codes\n")
        for one in players:
            words = [one.candidate_no, one.name, one.point, one.id_tail, one.password, one.serial, " ".join(one.codes)]
            file.write(",".join(words) + "\n")


def _write_stock(path: Path, cards: Sequence[Made]) -> None:
    """What is under the film of the cards still in stock, for whoever hands one out and goes on as its holder."""
    with private(path) as file:
        file.write("\ufeffserial,codes\n")
        for card in cards:
            file.write(f"{card.serial},{' '.join(card.codes)}\n")


def _stay(cast: Cast, portals: Sequence[Process], tell: Callable[[str], object]) -> None:
    """Wait for the end; Enter prints the officers' present codes. Raises `StageError` when a portal dies."""
    listening = [sys.stdin] if sys.stdin is not None and sys.stdin.isatty() else []
    while True:
        for portal in portals:
            if portal.ended:
                raise StageError(f"The {portal.name} portal has ended. The end of {portal.log}:\n{portal.tail()}")
        if select.select(listening, [], [], 0.5)[0]:
            sys.stdin.readline()
            tell(f"{datetime.now(ZONE):%H:%M:%S}")
            tell("\n".join(officer_lines(cast, passwords=False)))
