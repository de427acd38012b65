"""Making a lot by the bare Argon2 bound, and bringing it in by a bare COPY of the very same rows.

BENCH_LOT cards (20 000 when not given, a quarter of an hour of two cores) are made for the memory; the ratio is taken
over lots of a twentieth of it, made turn about with as many bare computations on as many threads.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from argon2.low_level import Type, hash_secret_raw

from admin import lots
from app.db import Database
from cards import codes, keys, manifests, requests
from cards.codes import Algorithm
from cards.keys import Signer
from cards.making import Making, Register
from cards.manifests import Opened
from cards.requests import Approved, Named
from cards.sheets import Imprint
from tests.bench.figures import Figure, note, ratio
from tests.bench.loading import MIB, copy_in, copy_out, fresh, watched
from tests.bench.servers import migrated, named, servers

CARDS = int(os.environ.get("BENCH_LOT", "20000"))
CODES = 40
ROUNDS = 5
PROVINCE = 500_000
CORES = len(os.sched_getaffinity(0))


def lot_figures() -> list[Figure]:
    """A lot through the whole of `make`: checks, register, encryption, root, signatures, every file on the disk."""
    directory = Path(tempfile.mkdtemp(prefix="zhiyuan-bench-"))
    try:
        small = max(CARDS // 20, 2 * CORES)
        few, many = (_made_apart(directory, count) for count in (CARDS // 10, CARDS))
        note(f"lot: {CARDS // 10:,} cards {few / MIB:,.0f} MiB, {CARDS:,} cards {many / MIB:,.0f} MiB at most")

        def ours(at: int) -> float:
            started = time.perf_counter()
            make(directory, small, f"{at + 1:04}")
            return small * CODES / (time.perf_counter() - started)

        found = ratio("lot, codes", ours, lambda _: _bare(small * CODES), ROUNDS)
        started, begun = time.perf_counter(), time.process_time()
        make(directory, small, "0099")
        _extrapolate(time.perf_counter() - started, time.process_time() - begun, small)
        return [Figure("lot_ratio", found, 0.9), Figure("lot_memory_mib", many / MIB, 250.0, less=True)]
    finally:
        shutil.rmtree(directory)


def _extrapolate(seconds: float, worked: float, cards: int) -> None:
    times = PROVINCE / cards
    note(
        f"lot: {PROVINCE:,} cards of {CODES} codes would take {seconds * times / 3600:.1f} h here on {CORES} cores,"
        f" {worked * times / 3600:.1f} h of one core's work"
    )


def _bare(count: int) -> float:
    """Computations of Argon2id a second on all cores, nothing around them."""

    def compute(share: int) -> None:
        for _ in range(share):
            hash_secret_raw(b"12345678", bytes(16), 1, 1024, 1, codes.OPENING_SIZE, Type.ID)

    started = time.perf_counter()
    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(compute, [count // CORES] * CORES))
    return count // CORES * CORES / (time.perf_counter() - started)


def _made_apart(directory: Path, count: int) -> int:
    """The most memory that making so many takes, in a process of its own."""
    _, peak = watched([sys.executable, "-m", "tests.bench.lots", str(directory), str(count)])
    return peak


def make(directory: Path, count: int, lot: str) -> Path:
    """Make a lot as the offline machine does; its directory, whose card key is in `directory`/keys."""
    place = directory / f"making-{lot}-{count}"
    place.mkdir()
    (place / "out").mkdir()
    people = {name: _signer(place / name, name) for name in ("asks", "one", "two", "signs")}
    if not (directory / "keys" / "card_key.1").exists():
        keys.make_card_key(directory / "keys")
    order = requests.ordered(
        lot=lot,
        count=count,
        codes_per_card=CODES,
        layout="a4-8",
        imprint=Imprint(province="湖南省", hotline="0731-12345678", url="https://zy.example.cn"),
        algorithm=Algorithm.SHA256,
        key_version=1,
        recipients=[keys.make_identity(place / name, "") for name in ("works.age", "escrow.age")],
        requester=Named(name="asks", key=people["asks"].person.key),
        asked_at="2017-05-01T00:00:00+00:00",
    )
    register = Register(place / "register")
    register.begin()
    making = Making(
        Approved(order, (people["one"].person, people["two"].person)),
        order.canonical,
        keys.read_card_key(directory / "keys", 1),
        people["signs"],
        register,
        place / "out",
    )
    return making.run(datetime.now(UTC), lambda _: None)


def _signer(path: Path, name: str) -> Signer:
    keys.make_signer(path, name, "")
    return keys.load_signer(path, lambda _: "")


# --- bringing in -------------------------------------------------------------------------------------


def verifier_load() -> list[Figure]:
    """Signature, digest, serials and root checked while one COPY runs, against a COPY of what it stored."""
    with servers() as (url, _, directory):
        made = make(directory, max(CARDS // 4, 100), "0001")
        people = keys.read_people(next(made.parents[1].glob("signs.pub")))
        opened = manifests.open_manifest(made / manifests.manifest_name("0001"), people)
        ring = {1: keys.read_card_key(directory / "keys", 1)}
        migrated(url, "offices")
        bring_in(fresh(url, "brought"), opened, ring)
        rows = {table: directory / table for table in ("lots", "cards")}
        for table, path in rows.items():
            copy_out(named(url, "brought"), table, path)
        count = opened.manifest.order.count

        def ours(_: int) -> float:
            return count / bring_in(fresh(url, "brought"), opened, ring)

        def bare(_: int) -> float:
            return count / copy_in(fresh(url, "copied"), rows)

        return [Figure("verifier_load_ratio", ratio("verifiers, cards", ours, bare, ROUNDS), 0.5)]


def bring_in(url: str, opened: Opened, ring: dict[int, bytes]) -> float:
    """Seconds."""
    database = Database(url)
    started = time.perf_counter()
    lots.bring_in_made(database, opened, ring, lambda _: None)
    seconds = time.perf_counter() - started
    database.dispose()
    return seconds


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]), "1701")
    print(json.dumps({}))
