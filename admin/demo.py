"""`make demo`: a sample province on this machine, both portals, ready to file. Nothing in it is real or secret."""

import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text

from admin import appointments, rehearsal, totp
from admin.officers import Role
from admin.rehearsal import Player
from admin.sending import Post, ToLog
from admin.stage import Process, Stage, StageError, erase, require_free, stage
from app.web.formats import ZONE
from cards import serials
from cards.codes import grouped

#: whose candidates are given cards: the capital's
OFFICE: Final = ("430100", "长沙市")
LOT: Final = "0001"
MOST_CARDS: Final = 300
BATCH: Final = "1"
#: subject classes that file in this batch, as digit 10 of a number has them
CLASSES: Final = ("1", "5")
PASSWORD: Final = "xiangjiang-2017-demo"  # noqa: S105 -- printed at every start
#: others who have been here before, so that the statistics have something to show
ACTIVATED, FILED = 36, 24
_MARK: Final = "demo.begun"
_STATE: Final = "demo.json"


@dataclass
class SignIn:
    """How one officer signs in."""

    login: str
    password: str
    secret: str
    office: str
    role: str


@dataclass
class Cast:
    """Who is in the demo, kept in the directory for the next start."""

    officers: list[SignIn]
    newcomer: Player
    activated: Player
    filed: Player
    cards: int

    def save(self, path: Path) -> None:
        """Write it down, for its owner alone."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, ensure_ascii=False, indent=1)

    @classmethod
    def load(cls, path: Path) -> "Cast":
        """Read what `save` wrote."""
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            officers=[SignIn(**one) for one in found["officers"]],
            newcomer=Player(**found["newcomer"]),
            activated=Player(**found["activated"]),
            filed=Player(**found["filed"]),
            cards=found["cards"],
        )


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
        up.callback(tell, "Everything is stopped. `make demo` goes on where this ended.")
        up.callback(_deaf)
        where = up.enter_context(stage(wish.directory))
        cast = _cast(where, wish.candidates, tell)
        stopped = threading.Event()
        sender = threading.Thread(target=_post(where).until_stopped, args=(stopped,))
        sender.start()
        up.callback(sender.join)
        up.callback(stopped.set)
        portals = up.enter_context(where.portals({"candidates": wish.port, "offices": wish.offices_port}))
        tell(_introduction(where, cast, portals, time.monotonic() - started))
        _stay(cast, portals, tell)


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


def _post(where: Stage) -> Post:
    sender = ToLog(where.directory / "messages.log")
    return Post(where.database, where.sealer, sender, where.settings.site.hotline)


# --- who is in it ------------------------------------------------------------------------------------


def _cast(where: Stage, candidates: int, tell: Callable[[str], object]) -> Cast:
    state = where.directory / _STATE
    if state.exists():
        tell(f"the province of the last time is in {where.directory} (another one: --fresh)")
        if rehearsal.open_again(where):
            tell("its windows were over; all are moved so that the ordinary batches are open again")
        return Cast.load(state)
    rehearsal.load(where, candidates, tell)
    players = rehearsal.hand_out(where, OFFICE[0], LOT, MOST_CARDS, tell)
    able = [player for player in players if player.candidate_no[9] in CLASSES]
    if len(able) < ACTIVATED + 3:
        raise StageError("the sample is too small for the demo; give --candidates 2000 or more")
    newcomer, activated, filed, *others = able
    rehearsal.activate(where, activated, PASSWORD)
    rehearsal.file(where, filed, rehearsal.activate(where, filed, PASSWORD), BATCH)
    _crowd(where, others[:ACTIVATED])
    tell(f"{ACTIVATED + 2:>7} candidates activated, {FILED + 1} of them filed in batch {BATCH}")
    cast = Cast(_officers(where, newcomer), newcomer, activated, filed, len(players))
    _write_cards(where.directory / "cards.csv", players)
    cast.save(state)
    return cast


def _crowd(where: Stage, players: Sequence[Player]) -> None:
    def act(at: int) -> None:
        session_id = rehearsal.activate(where, players[at], PASSWORD)
        if at < FILED:
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
        second: list[tuple[str, Role]] = (
            [("2", "approver"), (".auditor", "auditor")] if office.level == "province" else []
        )
        for suffix, role in [("", _FIRST_ROLE[office.level]), *second]:
            login = f"{office.level}{suffix}"
            made = appointments.appoint(
                where.database,
                where.keys,
                login=login,
                name=f"{office.name}（演示）",
                office_code=office.code,
                role=role,
                until=until,
                password=f"{login}-2017-demo",
            )
            appointed.append(SignIn(login, f"{login}-2017-demo", made.totp_secret or "", office.name, role))
    return appointed


_FIRST_ROLE: Final[dict[str, Role]] = {
    "province": "approver",
    "prefecture": "approver",
    "county": "approver",
    "point": "operator",
}


def _write_cards(path: Path, players: Sequence[Player]) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8-sig") as file:
        file.write("candidate,name,point,last six of identity number,password,serial,codes\n")
        for one in players:
            words = [one.candidate_no, one.name, one.point, one.id_tail, one.password, one.serial, " ".join(one.codes)]
            file.write(",".join(words) + "\n")


# --- what is printed ---------------------------------------------------------------------------------


def _introduction(where: Stage, cast: Cast, portals: Sequence[Process], seconds: float) -> str:
    pair = where.door.pair_asked(cast.newcomer.serial)
    asked = " and ".join(f"No. {index}: {grouped(cast.newcomer.code(index))}" for index in pair)
    lines = [
        "",
        f"The sample province is up, after {seconds:.0f} s. Ctrl-C stops it; what was done is kept.",
        "",
        f"  candidates  {portals[0].url}",
        f"  offices     {portals[1].url}",
        f"  messages    {where.directory / 'messages.log'}",
        f"  cards       {where.directory / 'cards.csv'} ({cast.cards} candidates of {OFFICE[1]} have one)",
        "",
        "Open the addresses with localhost, as printed: browsers keep the service's cookies there without TLS.",
        "",
        "CANDIDATES",
        *_shown("not yet activated", cast.newcomer),
        f"    activation asks  {asked}",
        *_codes(cast.newcomer),
        *_shown("activated", cast.activated),
        *_codes(cast.activated),
        *_shown(f"filed in batch {BATCH}", cast.filed),
        *_codes(cast.filed),
        "",
        "OFFICERS",
        *_officer_lines(cast, passwords=True),
        "  A code lives 30 seconds. Press Enter for the present ones, or give the secrets to an authenticator.",
    ]
    return "\n".join(lines)


def _shown(state: str, player: Player) -> list[str]:
    return [
        f"  {player.name} ({player.point}), {state}",
        f"    number           {player.candidate_no}",
        f"    identity number  ends in {player.id_tail}",
        f"    card             {serials.grouped(player.serial)}",
        *([f"    password         {player.password}"] if player.password else []),
    ]


def _codes(player: Player) -> list[str]:
    shown = [f"{index:>2} {grouped(code)}" for index, code in enumerate(player.codes, start=1)]
    return ["    codes            " + "   ".join(shown[at : at + 5]) for at in range(0, len(shown), 5)] + [""]


def _officer_lines(cast: Cast, *, passwords: bool) -> list[str]:
    now = datetime.now(UTC)
    return [
        f"  {one.login:<17} code {totp.shown_at(one.secret, now)}"
        + (f"   password {one.password:<27} {one.role:<9} {one.office}   secret {one.secret}" if passwords else "")
        for one in cast.officers
    ]


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
            tell("\n".join(_officer_lines(cast, passwords=False)))
