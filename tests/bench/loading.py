"""Loading a province's candidates from the file it handed in, by a bare COPY of the very same rows."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from admin.commands.loading import calendar_of, year_of
from admin.intake import loading, sample
from app.candidates import Sealer
from app.db import Database
from config import keys as key_files
from config.keys import KeyRing
from tests.bench.figures import Figure, note, ratio
from tests.bench.servers import migrated, named, plain, servers

CANDIDATES = int(os.environ.get("BENCH_CANDIDATES", "500000"))
ROUNDS = 3
YEAR = "2017"
MIB = 2**20


def load_ratio() -> list[Figure]:
    """Read, check, seal, index, copy, count; and how much memory the process doing it needs at most."""
    with servers() as (url, _, directory):
        files = sample.generate(directory / "sample", CANDIDATES, 2017)
        key_files.make(directory / "keys")
        _make_empty_province(migrated(url, "offices"), files)
        peaks: list[int] = []

        def ours(_: int) -> float:
            database = fresh(url, "loaded")
            command = [sys.executable, "-m", "tests.bench.loading", database, str(directory), str(files.candidates)]
            said, peak = watched(command)
            peaks.append(peak)
            return said["rows"] / said["seconds"]

        ours(0)
        rows = directory / "rows"
        copy_out(named(url, "loaded"), "candidates", rows)

        def bare(_: int) -> float:
            return files.candidate_count / copy_in(fresh(url, "copied"), {"candidates": rows})

        found = ratio("load", ours, bare, ROUNDS)
        note(f"load: {files.candidate_count:,} candidates, {files.candidates.stat().st_size / MIB:,.0f} MiB")
        return [
            Figure("load_ratio", found, 0.3),
            Figure("load_memory_mib", max(peaks) / MIB, 300.0, less=True),
        ]


def _make_empty_province(url: str, files: sample.SampleFiles) -> None:
    database = Database(url)
    loading.load_regions(database, files.regions)
    loading.load_schools(database, files.schools)
    loading.load_calendar(database, calendar_of(YEAR))
    database.dispose()


def fresh(url: str, name: str) -> str:
    """A database with the offices and nobody in it; the old one of that name is gone."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}".encode())
        connection.execute(f"CREATE DATABASE {name} TEMPLATE offices".encode())
        connection.execute("CHECKPOINT")
    return named(url, name)


def copy_out(url: str, table: str, rows: Path) -> None:
    """Write the rows of a table to a file."""
    with (
        psycopg.connect(plain(url)) as connection,
        connection.cursor().copy(f"COPY {table} TO STDOUT".encode()) as copy,
        rows.open("wb") as file,
    ):
        for block in copy:
            file.write(block)


def copy_in(url: str, tables: Mapping[str, Path]) -> float:
    """Seconds that the rows of files take to get into their tables, in one transaction."""
    with psycopg.connect(plain(url)) as connection:
        started = time.perf_counter()
        for table, rows in tables.items():
            with rows.open("rb") as file, connection.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
                while block := file.read(MIB):
                    copy.write(block)
        connection.commit()
        return time.perf_counter() - started


def watched(command: list[str]) -> tuple[dict[str, float], int]:
    """What a program prints, and the most memory (bytes) that it and its children held together."""
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while process.poll() is None:
            peak = max(peak, _held(process.pid))
            time.sleep(0.1)
        said: dict[str, float] = json.loads(process.stdout.read() if process.stdout else b"")
    return said, peak


def _held(pid: int) -> int:
    """A page that several processes share counts once."""
    held = 0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                held = 1024 * int(line.split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has just ended
        return held
    return held + sum(_held(int(child)) for child in children)


def _load(url: str, directory: Path, candidates: Path) -> dict[str, float]:
    """One load in a process of its own: rows and seconds."""
    keys = KeyRing.load(directory / "keys")
    sealer = Sealer(keys.column_key, keys.index_key)
    database = Database(url)
    year = year_of(YEAR)
    started = time.perf_counter()
    report = loading.load_candidates(database, sealer, year, candidates)
    seconds = time.perf_counter() - started
    database.dispose()
    return {"rows": report.loaded, "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(_load(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
