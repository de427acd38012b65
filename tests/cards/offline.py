"""A desk with an offline machine: people and their keys, a request, its approvals, and the program itself."""

from datetime import UTC, datetime
from pathlib import Path

import pyrage
from click.testing import CliRunner, Result

from cards import keys, printfile
from cards.__main__ import program
from cards.keys import Person
from cards.manifests import signature_of
from cards.sheets import Face

NOW = datetime(2017, 5, 1, 8, 0, tzinfo=UTC)
PEOPLE = {"asks": "Wang Fang", "one": "Li Na", "two": "赵伟", "signer": "Offline machine"}
LOT = "1701"


def run(*arguments: object, typed: str | None = None) -> Result:
    """The program as it is called, in this process."""
    return CliRunner().invoke(program, [str(one) for one in arguments], input=typed, obj=lambda: NOW)


def must(*arguments: object) -> Result:
    """The same, for what must succeed."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


class Desk:
    """One directory with everything a lot takes. Keys are bare, so that nobody types passphrases."""

    def __init__(self, place: Path) -> None:
        self.place = place
        for name, full in PEOPLE.items():
            keys.make_signer(place / name, full, "")
        for name in ("works.age", "escrow.age"):
            keys.make_identity(place / name, "")
        self.keys = place / "keys"
        keys.make_card_key(self.keys)
        self.trusted = place / "trusted"
        self.trusted.write_text("".join((place / f"{name}.pub").read_text() for name in PEOPLE))
        self.register = place / "register"
        self.request = place / f"lot-{LOT}.json"
        self.out = place / "out"
        self.out.mkdir()
        must("make-register", self.register)

    @property
    def people(self) -> tuple[Person, ...]:
        """Those who are trusted."""
        return keys.read_people(self.trusted)

    @property
    def identity(self) -> pyrage.x25519.Identity:
        """The print works' own."""
        return keys.load_identity(self.place / "works.age", lambda _: "")

    def ask(self, *more: object, count: int = 40, codes: int = 10, lot: str = LOT) -> Result:
        """Ask for a lot."""
        recipients = ("--recipient", self.place / "works.age.pub", "--recipient", self.place / "escrow.age.pub")
        printed = ("--province", "湖南省", "--hotline", "0731-12345678", "--url", "https://zy.example.cn")
        what = ("--lot", lot, "--count", count, "--codes", codes, "--key-version", 1)
        return run("request", self.request, *what, *recipients, *printed, "--key", self.place / "asks", *more)

    def approve(self, name: str) -> Result:
        """Approve it as one of the people."""
        return run("approve", self.request, "--key", self.place / name, "--trusted", self.trusted, "--yes")

    def approvals(self) -> list[Path]:
        """The approvals there are."""
        return sorted(self.place.glob("*.approval"))

    def making(self) -> list[object]:
        """The arguments that make the lot."""
        given = [argument for path in self.approvals() for argument in ("--approval", path)]
        rest = ("--keys", self.keys, "--signer", self.place / "signer", "--register", self.register, "--out", self.out)
        return ["make", self.request, *given, "--trusted", self.trusted, *rest, "--allow-swap"]

    def made(self, *more: object, count: int = 40, codes: int = 10) -> Path:
        """A lot, asked for, approved and made; its directory."""
        for result in (self.ask(*more, count=count, codes=codes), self.approve("one"), self.approve("two")):
            assert result.exit_code == 0, result.output
        must(*self.making())
        return self.lot

    @property
    def lot(self) -> Path:
        """Where the lot will be."""
        return self.out / f"lot-{LOT}"

    @property
    def print_file(self) -> Path:
        return self.lot / f"lot-{LOT}.print.age"

    @property
    def verifier_file(self) -> Path:
        return self.lot / f"lot-{LOT}.verifiers"

    @property
    def manifest(self) -> Path:
        return self.lot / f"lot-{LOT}.manifest.json"

    def faces(self) -> list[Face]:
        """What the print works prints."""
        found: list[Face] = []
        printfile.decrypt(
            self.print_file,
            signature_of(self.print_file),
            self.people,
            self.identity,
            lambda _, face: found.append(face),
        )
        return found
