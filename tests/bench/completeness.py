"""Completeness at the size of a province: pages of the offices' portal, and what counting costs those who file.

Pages are measured in-process over the real database: everything between the request and the answer, once the
process is warm. BENCH_CANDIDATES sets the size; the growth is against a province a tenth of it.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from statistics import median

import psycopg
from sqlalchemy import text

from admin import completeness, officers, scope
from admin.pages import OFFICES
from admin.scope import Place
from app import create_app, sessions, tallies
from app.db import Database, together
from tests.bench.figures import Figure, note, ratio
from tests.bench.load import post, rate
from tests.bench.servers import migrated, plain, servers
from tests.bench.stage import CONFIRM, province
from tests.fixtures import SITE, over_wsgi
from tests.makers import World

CANDIDATES = int(os.environ.get("BENCH_CANDIDATES", "500000"))
BATCHES = 12
SCHOOL = 500
CLASS = 50
PAGES = 48
WARM_UP_PAGES = 12
WARM_UP = 60
ROUNDS = 8
EACH = 160

#: 14 prefectures of nine counties, schools of 500, classes of 50
_OFFICES = """
    INSERT INTO offices (id, parent_id, level, code, name, path) OVERRIDING SYSTEM VALUE
    SELECT 1, NULL, 'province', '430000', '湖南省', '/1/'
    UNION ALL SELECT 1 + p, 1, 'prefecture', (430000 + 100 * p)::text, '市州' || p, '/1/' || 1 + p || '/'
    FROM generate_series(1, 14) p
    UNION ALL SELECT 100 + 9 * p + k, 1 + p, 'county', (430000 + 100 * p + k)::text, '县' || p || '-' || k,
           '/1/' || 1 + p || '/' || 100 + 9 * p + k || '/'
    FROM generate_series(1, 14) p, generate_series(1, 9) k
    UNION ALL SELECT 1000 + s, 101 + 9 + s % 126, 'point', 'S' || s, '学校' || s,
           '/1/' || 2 + s % 126 / 9 || '/' || 110 + s % 126 || '/' || 1000 + s || '/'
    FROM generate_series(0, :schools - 1) s
"""
_CANDIDATES = """
    INSERT INTO candidates (id, candidate_no, name, sex, birth_date, id_no_sealed, id_no_index, ethnicity,
        subject_class, second_subjects, language, point_id, class_no, hukou_county, score, qualifications, restrictions)
    OVERRIDING SYSTEM VALUE
    SELECT n, '1743' || lpad(n::text, 10, '0'), '考生' || n, '1', '1999-01-01', '', int8send(n), '01',
           CASE WHEN n % 10 < 4 THEN '1' WHEN n % 10 < 9 THEN '5' ELSE '3' END, '{}', '1',
           1000 + n % :schools, (301 + n / :schools % (:school / :class))::text, '430102', 500, '{}', '{}'
    FROM generate_series(1::bigint, :candidates) n
"""
# of twenty candidates one has never signed in, one has no card; of the others five in six have filed in two batches
_STATES = (
    """
    INSERT INTO accounts (candidate_id, password, password_changed_at, activated_at, notice_version)
    SELECT id, '', clock_timestamp(), clock_timestamp(), 'bench' FROM candidates WHERE id % 20 > 0
    """,
    "INSERT INTO lots (code, codes_per_card, cards, algorithm, made_at) VALUES ('9001', 10, 1, 'sha256', now())",
    """
    INSERT INTO cards (serial, lot, key_chain, algorithm, salt, verifiers, state, holder_id)
    SELECT 'B' || id, '9001', '{1}', 'sha256', decode(repeat('00', 16), 'hex'), decode(repeat('00', 160), 'hex'),
           'bound', id
    FROM candidates WHERE id % 20 > 1
    """,
    """
    INSERT INTO bindings (candidate_id, serial, bound_at)
    SELECT id, 'B' || id, clock_timestamp() FROM candidates WHERE id % 20 > 1
    """,
    """
    INSERT INTO drafts (candidate_id, batch_id, version, content, updated_at)
    SELECT c.id, b.id, 1, '{"columns": {}}', clock_timestamp() - interval '2 hours'
    FROM candidates c JOIN batches b ON c.subject_class = ANY (b.subject_classes) AND b.id <= 2 WHERE c.id % 20 > 5
    """,
    """
    INSERT INTO filings (candidate_id, batch_id, candidate_no, number, kind, content, catalogue_version, filed_at,
        nonce, digest, serial, code_index, opening, challenge, receipt, device)
    SELECT c.id, b.id, c.candidate_no, 1, CASE WHEN c.id % 40 = 7 THEN 'waiver' ELSE 'list' END, '{"columns": {}}', 1,
           clock_timestamp() - interval '1 hour', '', int8send(c.id * 100 + b.id), 'B' || c.id, b.id, '',
           int8send(b.id), '', 'bench'
    FROM candidates c JOIN batches b ON c.subject_class = ANY (b.subject_classes) AND b.id <= 2
    WHERE c.id % 20 > 1 AND (c.id / 20 + b.id) % 6 > 0
    """,
    # one candidate in two thousand had filed the day before, and have given the batch up since
    "UPDATE filings SET filed_at = filed_at - interval '2 days' WHERE candidate_id % 2000 = 10",
    """
    INSERT INTO filings (candidate_id, batch_id, candidate_no, number, kind, content, catalogue_version, filed_at,
        nonce, previous, digest, serial, code_index, opening, challenge, receipt, device)
    SELECT candidate_id, batch_id, candidate_no, 2, 'waiver', content, 1, filed_at + interval '2 days', '', digest,
           digest || 'w', serial, batch_id + 2, '', challenge || 'w', '', 'bench'
    FROM filings WHERE candidate_id % 2000 = 10
    """,
)


_OFFICER = """
    INSERT INTO officers (login, name, office_id, role, password, password_changed_at, totp_sealed, appointed_until,
                          created_at)
    VALUES ('bench', '周敏', 1, 'operator', '', now(), '', now() + interval '1 day', now())
"""


def completeness_pages() -> list[Figure]:
    """The pages of a province, of a point and of a class, with all candidates and with a tenth of them, turn about."""
    with servers() as (url, redis_url, directory), ExitStack() as stack:
        small, large = (
            stack.enter_context(_office(World(migrated(url, name), redis_url, directory / name), candidates))
            for name, candidates in (("small", CANDIDATES // 10), ("large", CANDIDATES))
        )
        found = {name: (_turn_about(small[name], large[name])) for name in large}
    for name, (less, more) in found.items():
        note(f"{name}: {_shown(more)}; with a tenth of the candidates {_shown(less)}")
    less, more = found["the counts alone"]
    return [
        Figure("progress_page_ms", median(found["province"][1]), 50, less=True),
        Figure("class_names_ms", median(found["class"][1]), 20, less=True),
        Figure("progress_growth", median(more) / median(less), 1.5, less=True),
    ]


def _shown(times: list[float]) -> str:
    return f"{median(times):.1f} ms, at best {min(times):.1f}"


def _turn_about(first: Callable[[], object], second: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Milliseconds of each, many times, once warm."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(PAGES):
        for work, times in zip((first, second), taken, strict=True):
            started = time.perf_counter()
            work()
            times.append(1000 * (time.perf_counter() - started))
    return taken[0][WARM_UP_PAGES:], taken[1][WARM_UP_PAGES:]


def _fill(world: World, candidates: int) -> None:
    """Everything set-based; the same schools whatever the number of candidates."""
    started = time.perf_counter()
    for number in range(1, BATCHES + 1):
        classes = ("3",) if number % 6 == 0 else ("1", "5")
        world.batch(str(number), name=f"批次{number}", closes=timedelta(days=2), subject_classes=classes)
    numbers = {"candidates": candidates, "schools": max(CANDIDATES // SCHOOL, 1), "school": SCHOOL, "class": CLASS}
    with psycopg.connect(plain(world.url), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # the rows refer to each other by their making
        for statement in (_OFFICES, _CANDIDATES, *_STATES):
            asked = {name: value for name, value in numbers.items() if f":{name}" in statement}
            connection.execute(_in_drivers_words(statement, asked).encode())
        connection.execute("ANALYZE")
    with world.database.transaction() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        tallies.recount(session)
    with psycopg.connect(plain(world.url), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE tallies")
        _snapshots(connection)
    note(f"{candidates:,} candidates in {BATCHES} batches, made in {time.perf_counter() - started:.0f} s")


def _in_drivers_words(statement: str, numbers: dict[str, int]) -> str:
    """With numbers of our own in their places; the longest name first, for one begins like another."""
    for name in sorted(numbers, key=len, reverse=True):
        statement = statement.replace(f":{name}", str(numbers[name]))
    return statement


def _snapshots(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    """What the hourly pass would have kept in three days."""
    states = ", ".join(tallies.STATES)
    sums = ", ".join(f"sum({state}) AS {state}" for state in tallies.STATES)
    connection.execute(
        f"""
        WITH counted AS MATERIALIZED (
            SELECT o.id, t.batch_id, {sums}
            FROM tallies t JOIN offices p ON p.id = t.point_id
            JOIN offices o ON o.id = ANY (string_to_array(btrim(p.path, '/'), '/')::bigint[]) GROUP BY 1, 2
        )
        INSERT INTO tally_snapshots (office_id, batch_id, taken_at, {states})
        SELECT id, batch_id, date_trunc('hour', now()) - hours * interval '1 hour', {states}
        FROM counted, generate_series(1, 72) hours
        """.encode()  # noqa: S608 -- constants
    )


@contextmanager
def _office(world: World, candidates: int) -> Iterator[dict[str, Callable[[], object]]]:
    """Pages of the province's officer over a province of so many candidates, by name; each is there to be asked for."""
    _fill(world, candidates)
    app = create_app(world.settings, OFFICES)
    role = Database(world.url, role="zhiyuan_offices")
    with world.database.transaction() as session:
        session.execute(text(_OFFICER))
        session_id, id_hash = sessions.new_id()
        together(session, officers.session_started(1, id_hash, "bench", None))
    with world.database.reading() as connection:
        visitor = officers.load(connection, id_hash, 900)
    if visitor is None:
        raise RuntimeError("the officer's session is not there")
    send = over_wsgi(app)

    def page(path: str) -> None:
        status, _headers, body = send("GET", SITE + path, {"Cookie": f"__Host-oid={session_id}"}, None)
        if status != 200:
            raise RuntimeError(f"{path}: answered {status}: {body[-500:]!r}")

    def counts() -> None:
        with scope.reading(role, visitor) as connection:
            completeness.batches(connection, scope.office(connection, visitor, 1))

    yield {
        "province": partial(page, "/progress/1?batch=1"),
        "prefecture": partial(page, "/progress/2?batch=1"),
        "point": partial(page, "/progress/1001?batch=1"),
        "class": partial(page, "/progress/1001?batch=1&class=301"),
        "points that call nobody": partial(page, "/chase/1?batch=1"),
        "whom to call": partial(page, "/chase/1001?batch=1"),
        "the counts alone": counts,
    }
    for database in (role, world.database, app.extensions["zhiyuan"].database):
        database.dispose()


def storm_ratio() -> list[Figure]:
    """Confirmations of one school a second while its counts are read all the time, against while they are not."""
    with province() as stage:
        crowd = stage.crowd(WARM_UP + 2 * ROUNDS * EACH)
        asked = stage.drafted(crowd)
        confirmations = [
            post(CONFIRM, stage.cookies(member), stage.confirmation(member, question))
            for member, question in zip(crowd, asked, strict=True)
        ]
        rate(stage.ours, confirmations[:WARM_UP], 303)
        turns = iter(range(WARM_UP, len(confirmations), EACH))

        def alone(_: int) -> float:
            stage.fresh()
            return rate(stage.ours, confirmations[next(turns) :][:EACH], 303)

        def counted(at: int) -> float:
            with _counting(stage.world):
                return alone(at)

        return [Figure("storm_ratio", ratio("storm", counted, alone, ROUNDS), 0.95)]


@contextmanager
def _counting(world: World) -> Iterator[None]:
    """Somebody reads the counts of every batch twenty times a second meanwhile."""
    stopped = threading.Event()
    place = Place(world.province, "province", "430000", "湖南省", f"/{world.province}/", ())

    def count() -> None:
        with world.database.reading() as connection:
            while not stopped.wait(0.05):
                completeness.batches(connection, place)

    reader = threading.Thread(target=count)
    reader.start()
    try:
        yield
    finally:
        stopped.set()
        reader.join()
