"""A small province for tests: every maker takes what matters to the test and fills in the rest.

    world = World(url, redis_url, keys_directory)
    who = world.candidate()                     # registered, with a card handed over
    world.activate(who)                         # account made, card bound
    batch = world.batch("1")                    # open now, one parallel column of ten slots

Real rows through the service's own deeds where one exists; plain inserts for what offices load from files.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from admin.rehearsal import FREE
from app import passwords, sessions, tallies
from app.bindings import Lot, bring_in, hand_out
from app.candidates import Sealer
from app.db import Database
from app.entrance import Activation, Door, SignedIn, Where
from app.offices import Office
from app.passwords import Profile
from app.sessions import Visitor
from app.specs import BatchSpec, ColumnSpec
from cards.codes import Algorithm
from cards.lots import LotRequest, Made, make_lot
from config import keys as key_files
from config.keys import KeyRing
from config.settings import Settings

PASSWORD = "correct horse 电池 staple"
COLUMN: dict[str, Any] = {
    "code": "GEN1",
    "name": "非定向",
    "unit": "INSTITUTION",
    "mode": "PARALLEL",
    "slots": 10,
    "majors_per_institution": 6,
    "major_adjust": True,
}
_MAJORS = {"01": "计算机科学与技术", "02": "法学", "03": "临床医学"}
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"


def id_number(birth: date, serial: int, region: str = "430102") -> str:
    """A valid identity number (GB 11643)."""
    digits = f"{region}{birth:%Y%m%d}{serial % 1000:03d}"
    return digits + _CHECKS[sum(int(d) * w for d, w in zip(digits, _WEIGHTS, strict=True)) % 11]


@dataclass
class Person:
    """A registered candidate, with everything a test may need to type."""

    id: int
    candidate_no: str
    name: str
    id_no: str
    point_id: int
    serial: str = ""
    codes: tuple[str, ...] = ()
    password: str = PASSWORD

    def code(self, index: int) -> str:
        """The code under film `index`, counted from 1 as printed."""
        return self.codes[index - 1]


@dataclass(frozen=True)
class Member:
    """One of a crowd, signed in."""

    person: Person
    session_id: str


_CROWD = (
    """
    INSERT INTO candidates (id, candidate_no, name, sex, birth_date, id_no_sealed, id_no_index, ethnicity,
        subject_class, second_subjects, language, point_id, class_no, hukou_county, score, qualifications, restrictions)
    OVERRIDING SYSTEM VALUE VALUES (:id, :no, :name, '1', :birth, :sealed, :index, '01', '5', '{}', '1', :point, '301',
        '430102', 560, '{}', '{}')
    """,
    """
    UPDATE cards SET state = 'bound', holder_id = :id, handed_at = clock_timestamp(), bound_at = clock_timestamp()
    WHERE serial = :serial
    """,
    """
    INSERT INTO accounts (candidate_id, password, password_changed_at, activated_at, notice_version)
    VALUES (:id, :password, clock_timestamp(), clock_timestamp(), 'test')
    """,
    """
    INSERT INTO bindings (candidate_id, serial, bound_at, asked, asked_second)
    VALUES (:id, :serial, clock_timestamp(), 1, 2)
    """,
    """
    INSERT INTO devices (candidate_id, token_hash, label, first_seen_at, last_seen_at)
    VALUES (:id, :device, 'Test', clock_timestamp(), clock_timestamp())
    """,
    """
    INSERT INTO sessions (id_hash, candidate_id, device_hash, label, ip, started_at, seen_at, expires_at)
    VALUES (:session, :id, :device, 'Test', '127.0.0.1', clock_timestamp(), clock_timestamp(),
            clock_timestamp() + interval '4 hours')
    """,
)


@cache
def _secrets() -> dict[str, bytes]:
    """The files of a key ring: the same for every province of a process, so that what is sealed once can be kept."""
    with TemporaryDirectory() as directory:
        key_files.make(Path(directory))
        return {path.name: path.read_bytes() for path in Path(directory).iterdir()}


@cache
def _lot(request: LotRequest, key: bytes) -> tuple[Made, ...]:
    """A lot's cards, made once in a process: Argon2id of each code is most of what a candidate costs."""
    return tuple(make_lot(request, {request.key_version: key}))


@cache
def _sealed(password: str, version: int, pepper: bytes, profile: Profile) -> str:
    return passwords.seal(password, {version: pepper}, profile)


@dataclass
class World:
    """One database and what has been made in it."""

    url: str
    redis_url: str
    keys_directory: Path
    #: everybody `candidate` has made, by id
    people: dict[int, Person] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _stock: list[Made] = field(default_factory=list)

    @cached_property
    def keys(self) -> KeyRing:
        self._make_keys()
        return KeyRing.load(self.keys_directory)

    def _make_keys(self) -> None:
        self.keys_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not any(self.keys_directory.iterdir()):
            for name, content in _secrets().items():
                (self.keys_directory / name).touch(mode=0o600)
                (self.keys_directory / name).write_bytes(content)
        key_files.make(self.keys_directory)

    @cached_property
    def settings(self) -> Settings:
        self._make_keys()
        return Settings(
            database_url=self.url,
            redis_url=self.redis_url,
            keys_directory=self.keys_directory,
            log_level="WARNING",
        )

    @cached_property
    def database(self) -> Database:
        """As the owner: for making and for looking."""
        return Database(self.url, pool_size=5)

    @cached_property
    def sealer(self) -> Sealer:
        return Sealer(self.keys.column_key, self.keys.index_key)

    @cached_property
    def door(self) -> Door:
        return Door(self.database, self.keys, self.sealer, session_seconds=14_400, card_codes=40)

    def where(self, device: bytes | None = None) -> Where:
        return Where(ip="127.0.0.1", label="Test", request_id="test", device_hash=device)

    def rows(self, sql: str, **params: object) -> list[dict[str, Any]]:
        """What a question answers, as the owner."""
        with self.database.reading() as connection:
            return [dict(row) for row in connection.execute(text(sql), params).mappings()]

    def value(self, sql: str, **params: object) -> Any:
        """The one value a question answers."""
        with self.database.reading() as connection:
            return connection.execute(text(sql), params).scalar()

    def do(self, sql: str, **params: object) -> None:
        """A statement, as the owner."""
        with self.database.transaction() as session:
            session.execute(text(sql), params)

    # --- offices --------------------------------------------------------------------------------

    @cached_property
    def province(self) -> int:
        return self._office("province", None, "430000", "湖南省")

    @cached_property
    def prefecture(self) -> int:
        return self._office("prefecture", self.province, "430100", "长沙市")

    @cached_property
    def county(self) -> int:
        return self._office("county", self.prefecture, "430102", "芙蓉区")

    @cached_property
    def point(self) -> int:
        return self.new_point("长沙市第一中学")

    def new_point(self, name: str, county: int | None = None) -> int:
        """Another registration point (school)."""
        return self._office("point", county or self.county, f"430102{next(self._numbers):04d}", name)

    def new_county(self, code: str, name: str) -> int:
        """Another county of the prefecture."""
        return self._office("county", self.prefecture, code, name)

    def _office(self, level: str, parent: int | None, code: str, name: str) -> int:
        with self.database.transaction() as session:
            above = session.get(Office, parent) if parent else None
            office = Office(parent_id=parent, level=level, code=code, name=name, path=f"pending {code}")
            session.add(office)
            session.flush()
            office.path = f"{above.path if above else '/'}{office.id}/"
            session.flush()
            return office.id

    # --- candidates -----------------------------------------------------------------------------

    def candidate(self, *, point: int | None = None, card: bool = True, **facts: Any) -> Person:
        """A registered candidate; with `card`, one was handed over."""
        number = next(self._numbers)
        subject_class = facts.get("subject_class", "5")
        birth = facts.get("birth_date", date(1999, 5, 4))
        digit = subject_class if len(subject_class) == 1 else "5"
        person = Person(
            id=number + 1000,
            candidate_no=facts.pop("candidate_no", f"174301021{digit}{number:04d}"),
            name=facts.pop("name", "欧阳娜娜"),
            id_no=facts.pop("id_no", id_number(birth, number * 2 + 1)),
            point_id=point or self.point,
        )
        values: dict[str, Any] = {
            "id": person.id,
            "candidate_no": person.candidate_no,
            "name": person.name,
            "sex": "1",
            "birth_date": birth,
            "id_no_sealed": self.sealer.seal(person.id_no, column="id_no", row=person.id),
            "id_no_index": self.sealer.index(person.id_no),
            "mobile_sealed": self.sealer.seal(f"138{number:08d}", column="mobile", row=person.id),
            "ethnicity": "01",
            "subject_class": subject_class,
            "first_subject": None,
            "second_subjects": [],
            "language": "1",
            "point_id": person.point_id,
            "class_no": "301",
            "hukou_county": "430102",
            "score": 560,
            "qualifications": [],
            "restrictions": [],
        } | facts
        columns = ", ".join(values)
        self.do(
            f"INSERT INTO candidates ({columns}) OVERRIDING SYSTEM VALUE"  # noqa: S608 -- our own names
            f" VALUES ({', '.join(f':{name}' for name in values)})",
            **values,
        )
        self._count_again()
        if card:
            self.hand_out(person)
        self.people[person.id] = person
        return person

    def hand_out(self, person: Person) -> None:
        """Hand a card from stock to a candidate; one they already have is replaced."""
        made = self.spare_card()
        with self.database.transaction() as session:
            hand_out(session, made.serial, person.id)
        person.serial, person.codes = made.serial, made.codes

    def activate(self, person: Person, device: bytes | None = None) -> str:
        """Activate as the candidate would; returns the session id."""
        pair = self.door.pair_asked(person.serial)
        asked = Activation(
            candidate_no=person.candidate_no,
            serial=person.serial,
            id_tail=person.id_no[-6:],
            codes=[person.code(index) for index in pair],
            password=person.password,
        )
        answer = self.door.activate(asked, self.where(device))
        assert isinstance(answer, SignedIn)
        return answer.session_id

    def crowd(self, count: int, *, device: bytes = b"d" * 32, codes: int = 10) -> list[Member]:
        """Many activated candidates with bound cards and live sessions, written in a few statements.

        Everybody has the same password and a known device; code no. 1 is asked, then no. 2.
        """
        people: list[Person] = []
        first = next(self._numbers) * 10 + 100_000
        lot = self._new_lot()
        made = self._made(lot, count, codes)
        stored = self.sealed(PASSWORD, passwords.CANDIDATE)
        births = [date(1999, 1 + at // 28 % 12, 1 + at % 28) for at in range(count)]
        for at, card in enumerate(made):
            id_no = id_number(births[at], at)
            no = f"174301021{4 + first // 10_000 % 5}{(first + at) % 10_000:04d}"
            person = Person(first + at, no, f"考生{at}", id_no, self.point, card.serial, card.codes)
            people.append(person)
        ids = [sessions.new_id() for _ in people]
        with self.database.transaction() as session:
            row = Lot(code=lot, codes_per_card=codes, cards=count, algorithm="sha256", made_at=datetime.now(UTC))
            bring_in(session, row, (card.sealed for card in made))
            session.execute(text("SET LOCAL statement_timeout = 0"))
            self._insert_crowd(session, people, births, ids, stored, device)
        self._count_again()
        return [Member(person, value) for person, (value, _) in zip(people, ids, strict=True)]

    def _new_lot(self) -> str:
        made: int = self.value("SELECT count(*) FROM lots")
        return f"{made + 1:04d}"

    def _made(self, lot: str, cards: int, codes: int) -> tuple[Made, ...]:
        return _lot(LotRequest(lot, cards, codes, Algorithm.SHA256, 1), self.keys.card_key[1])

    def _insert_crowd(
        self,
        session: Session,
        people: list[Person],
        births: list[date],
        ids: list[tuple[str, bytes]],
        stored: str,
        device: bytes,
    ) -> None:
        rows = [
            {
                "id": person.id,
                "no": person.candidate_no,
                "name": person.name,
                "birth": birth,
                "sealed": self.sealer.seal(person.id_no, column="id_no", row=person.id),
                "index": self.sealer.index(person.id_no + person.candidate_no),
                "point": person.point_id,
                "serial": person.serial,
                "password": stored,
                "device": device,
                "session": id_hash,
            }
            for person, birth, (_, id_hash) in zip(people, births, ids, strict=True)
        ]
        for statement in _CROWD:
            session.execute(text(statement), rows)

    def sealed(self, password: str, profile: Profile) -> str:
        """What is stored of a password; one sealed before in this process is not sealed again."""
        version, pepper = max(self.keys.password_pepper.items())
        return _sealed(password, version, pepper, profile)

    def visitor(self, session_id: str, device: bytes | None = b"d" * 32) -> Visitor:
        """Who is behind a session, as the portal's gate would find."""
        with self.database.reading() as connection:
            found = sessions.load(connection, sessions.hash_of(session_id), device, 900)
        assert found is not None
        return found

    def spare_card(self) -> Made:
        """A card from stock."""
        if not self._stock:
            lot = self._new_lot()
            self._stock = list(self._made(lot, 5, 40))
            with self.database.transaction() as session:
                row = Lot(
                    code=lot,
                    codes_per_card=40,
                    cards=5,
                    algorithm="sha256",
                    made_at=datetime(2017, 5, 1, tzinfo=UTC),
                )
                bring_in(session, row, (made.sealed for made in self._stock))
        return self._stock.pop(0)

    # --- batches --------------------------------------------------------------------------------

    def batch(
        self,
        code: str = "1",
        *,
        opens: timedelta = timedelta(hours=-1),
        closes: timedelta = timedelta(hours=1),
        columns: tuple[dict[str, Any], ...] = (COLUMN,),
        subject_classes: tuple[str, ...] = ("1", "5"),
        **spec: Any,
    ) -> int:
        """A batch whose window is given relative to now; plans for two institutions in each column."""
        made = BatchSpec(
            year=2017,
            code=code,
            name=spec.pop("name", "本科一批"),
            order=spec.pop("order", 20),
            unit="INSTITUTION",
            subject_classes=subject_classes,
            columns=tuple(ColumnSpec.model_validate(column) for column in columns),
            window="W1",
            **spec,
        )
        self._catalogue(made)
        found = self.value(
            """
            INSERT INTO batches (year, code, name, position, subject_classes, spec, catalogue_version,
                                 opens_at, closes_at)
            VALUES (2017, :code, :name, :order, :classes, CAST(:spec AS jsonb), 1,
                    clock_timestamp() + :opens, clock_timestamp() + :closes) RETURNING id
            """,
            code=code,
            name=made.name,
            order=made.order,
            classes=list(subject_classes),
            spec=made.model_dump_json(),
            opens=opens,
            closes=closes,
        )
        self._count_again()
        return int(found)

    def _catalogue(self, spec: BatchSpec) -> None:
        if not self.value("SELECT count(*) FROM catalogues"):
            self.do("INSERT INTO catalogues (version, source, digest, plans) VALUES (1, 'makers', '', 0)")
        self._insert_plans(
            [
                _plan(spec.code, column.code, subject_class, f"43{number:02d}", major)
                for column in spec.columns
                for subject_class in spec.subject_classes
                for number in range(1, 13)
                for major in _MAJORS
            ]
        )

    def plan(self, batch: str, column: str, subject_class: str, institution: str, major: str, **more: Any) -> None:
        """One row of the catalogue."""
        self._insert_plans([_plan(batch, column, subject_class, institution, major) | more])

    def _insert_plans(self, plans: list[dict[str, Any]]) -> None:
        names = plans[0]
        insert = f"INSERT INTO plans ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"  # noqa: S608
        with self.database.transaction() as session:
            session.execute(text(insert), plans)

    def move_end(self, batch_id: int, seconds: float) -> None:
        """Set a batch's end to so many seconds from now, past the rule that it only moves later."""
        self.do(
            f"{FREE} UPDATE batches SET closes_at = clock_timestamp() + CAST(:span AS interval)"  # noqa: S608
            " FROM free WHERE id = :batch",
            span=timedelta(seconds=seconds),
            batch=batch_id,
        )

    def _count_again(self) -> None:
        with self.database.transaction() as session:
            tallies.recount(session)


def _plan(batch: str, column: str, subject_class: str, institution: str, major: str) -> dict[str, Any]:
    return {
        "version": 1,
        "batch_code": batch,
        "subject_class": subject_class,
        "column_code": column,
        "institution_code": institution,
        "group_code": "",
        "major_code": major,
        "institution_name": f"湘江大学{institution}",
        "group_name": "",
        "major_name": _MAJORS.get(major, "数学"),
        "place": "长沙",
        "province_name": "湖南",
        "ownership": "公办",
        "nature": "",
        "tags": [],
        "tuition": 4800,
        "years": 4,
        "quota": 30,
        "subject_first": "",
        "subject_second": "",
        "restricted": [],
        "languages": [],
        "sex": "",
        "remark": "",
        "initials": "XJDX",
        "major_initials": "JSJ",
    }


def content(*institutions: str, column: str = "GEN1", majors: tuple[str, ...] = ("01", "02")) -> dict[str, Any]:
    """A preference list of one column."""
    slots = [
        {"institution": code, "group": None, "majors": list(majors), "major_adjust": True} for code in institutions
    ]
    return {"columns": {column: {"slots": slots, "institution_adjust": False, "directed_adjust": False}}}
