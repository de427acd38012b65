"""Who is in the demo, kept from one start to the next, and what is printed about them."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

from sqlalchemy import text

from admin import totp
from admin.rehearsal import Player
from admin.stage import Process, Stage
from app.web.formats import ZONE
from cards import serials
from cards.codes import grouped

#: whose candidates are given cards: the capital's
OFFICE: Final = ("430100", "长沙市")
#: subject classes that file in the ordinary batches, as digit 10 of a number has them
CLASSES: Final = ("1", "5")


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
    #: everybody with a card
    players: list[Player]

    def save(self, path: Path) -> None:
        """Write it down, for its owner alone."""
        with private(path) as file:
            json.dump(asdict(self), file, ensure_ascii=False, indent=1)

    @classmethod
    def load(cls, path: Path) -> "Cast":
        """Read what `save` wrote."""
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls([SignIn(**one) for one in found["officers"]], [Player(**one) for one in found["players"]])


@contextmanager
def private(path: Path) -> Iterator[TextIO]:
    """A file written anew that only its owner can read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        yield file


_HOW_FAR: Final = text("""
    SELECT c.id, a.candidate_id IS NOT NULL AS activated,
           EXISTS (SELECT FROM filings f WHERE f.candidate_id = c.id) AS filed
    FROM candidates c LEFT JOIN accounts a ON a.candidate_id = c.id
    WHERE c.id = ANY (:ids)
""")
_OPEN: Final = text("""
    SELECT string_agg(name, '、' ORDER BY position) AS names, closes_at FROM batches
    WHERE clock_timestamp() BETWEEN opens_at AND closes_at GROUP BY closes_at ORDER BY closes_at
""")


def introduction(where: Stage, cast: Cast, portals: Sequence[Process], seconds: float) -> str:
    """Everything it takes to try the service; `seconds` is how long it took to come up."""
    with where.database.reading() as connection:
        open_now = connection.execute(_OPEN).all()
    lines = [
        "",
        f"The sample province is up, after {seconds:.0f} s. Ctrl-C stops it; what was done is kept.",
        "",
        f"  candidates  {portals[0].url}",
        f"  offices     {portals[1].url}",
        f"  messages    {where.directory / 'messages.log'}",
        f"  cards       {where.directory / 'cards.csv'} ({len(cast.players)} candidates of {OFFICE[1]} have one)",
        f"              {where.directory / 'stock.csv'} (to be handed out by the officer of the registration point)",
        *(f"  open        {row.names}, until {row.closes_at.astimezone(ZONE):%m-%d %H:%M}" for row in open_now),
        "",
        "Open the addresses with localhost, as printed: browsers keep the service's cookies there without TLS.",
        "",
        "CANDIDATES",
        *_candidate_lines(where, cast),
        "OFFICERS",
        *officer_lines(cast, passwords=True),
        "  A code lives 30 seconds. Press Enter for the present ones, or give the secrets to an authenticator.",
    ]
    return "\n".join(lines)


def _candidate_lines(where: Stage, cast: Cast) -> Iterator[str]:
    """One candidate of each kind, as they stand now."""
    able = [player for player in cast.players if player.candidate_no[9] in CLASSES]
    with where.database.reading() as connection:
        found = connection.execute(_HOW_FAR, {"ids": [player.id for player in able]}).all()
    stands = {row.id: (row.activated, row.filed) for row in found}
    newcomer = next((player for player in able if stands[player.id] == (False, False)), None)
    if newcomer is not None:
        pair = where.door.pair_asked(newcomer.serial)
        asked = " and ".join(f"No. {index}: {grouped(newcomer.code(index))}" for index in pair)
        yield from _shown("not yet activated", newcomer, f"    activation asks  {asked}")
    known = [player for player in able if player.password]  # others were activated by whoever tried this
    for state, kind in ((True, False), "activated, nothing filed"), ((True, True), "filed"):
        player = next((player for player in known if stands[player.id] == state), None)
        if player is not None:
            yield from _shown(kind, player, f"    password         {player.password}")


def _shown(kind: str, player: Player, more: str) -> Iterator[str]:
    yield f"  {player.name} ({player.point}), {kind}"
    yield f"    number           {player.candidate_no}"
    yield f"    identity number  ends in {player.id_tail}"
    yield more
    yield f"    card             {serials.grouped(player.serial)}"
    shown = [f"{index:>2} {grouped(code)}" for index, code in enumerate(player.codes, start=1)]
    for at in range(0, len(shown), 5):
        yield "      " + "   ".join(shown[at : at + 5])
    yield ""


def officer_lines(cast: Cast, *, passwords: bool) -> list[str]:
    """How the officers sign in now; without `passwords`, only their present codes."""
    now = datetime.now(UTC)
    codes = [totp.shown_at(one.secret, now) for one in cast.officers]
    if not passwords:
        return [f"  {one.login:<17} {code}" for one, code in zip(cast.officers, codes, strict=True)]
    return [f"  {'login':<17} {'password':<27} code     {'role':<12} {'secret':<34} office"] + [
        f"  {one.login:<17} {one.password:<27} {code}   {one.role:<12} {one.secret:<34} {one.office}"
        for one, code in zip(cast.officers, codes, strict=True)
    ]
