"""How one deployment is set up: frozen, typed, from the environment; no secret has a default.

Secrets are files in one directory (a systemd credentials directory, or `KEYS_DIRECTORY`), never
environment variables: an environment is inherited, dumped and logged.
"""

import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from config.keys import KeyRing, SealKeys

Portal = Literal["candidates", "offices"]


class SettingsError(Exception):
    """The environment lacks a setting or holds a wrong one; the message names it."""


class Site(BaseModel):
    """What the pages say about the province that runs the service."""

    model_config = ConfigDict(frozen=True)

    province: str = "湖南省"
    hotline: str = "0731-12345678"
    hours: str = "8:00–20:00"
    banner: str = ""
    security_contact: str = "mailto:security@zhiyuan.example"


class Watch(BaseModel):
    """From where on the watch raises an alert (`admin.watch`); "more than" this is too many.

    The first three are the requirements' own: P-14 for filings, C-10 for wrong codes, D-11 for the days before the
    first batch; 70/85/95 of a volume is X-12, two minutes of the sealer X-15, two seconds of the clock O-03. The
    others are chosen so that a family, a group of friends or a queue at one computer stays below them: sign-ins
    alone change nothing, so twice as many; an officer's cards activated in one place are more telling than the
    place alone, so fewer; a run of three is three friends, four within a minute of one another is a routine.
    """

    model_config = ConfigDict(frozen=True)

    #: candidates whose filings were confirmed, or accounts activated, from one device in 24 hours (P-14)
    device: int = Field(default=5, ge=1)
    #: the same from one network address outside registered rooms (P-14)
    network: int = Field(default=30, ge=1)
    #: wrong codes on one account in 24 hours (C-10)
    wrong_codes: int = Field(default=200, ge=5)
    #: days before the first batch from which on cards not activated are reported (D-11)
    activation_days: int = Field(default=7, ge=0)
    #: accounts signed in to on one device in 24 hours
    sign_ins: int = Field(default=10, ge=1)
    #: cards of one officer's handing activated from one network outside registered rooms in 24 hours (D-14)
    officer: int = Field(default=10, ge=1)
    #: what one officer was refused within an hour: no page leads there, so a few come of old bookmarks and of addresses
    #: passed on, not one a few minutes (P-04). Below `admin.refusals.MOST_AN_HOUR`, or it is never reached
    refusals: int = Field(default=20, ge=1, lt=100)
    #: candidates of one class, one device, each so many seconds or less after the one before (K7)
    run: int = Field(default=3, ge=1)
    run_seconds: int = Field(default=60, ge=1)
    #: a lot, or a school's replacements, that by chance alone would come up less often than this (D-14)
    chance: float = Field(default=1e-6, gt=0, lt=0.1)
    #: shares taken for usual where the province shows less: of those who answer on a day, who mistypes (R-02 reckons
    #: with one in ten); of all candidates, who is given another card in a week
    usual_wrong: float = Field(default=0.1, gt=0, lt=1)
    usual_replaced: float = Field(default=0.002, gt=0, lt=1)
    #: volumes to be watched, and how full one may be, in percent (X-12)
    volumes: tuple[Path, ...] = ()
    volume_percents: tuple[int, ...] = (70, 85, 95)
    #: a sealer runs here (`python -m admin seal watch`), and is missed when it is late
    sealer: bool = False
    sealer_seconds: int = Field(default=120, ge=1)
    #: a batch that has been closed for so long is to have its seal (L-08), where a sealer runs
    seal_seconds: int = Field(default=900, ge=1)
    #: a witness that has not cosigned for so long, while there is something to cosign, is missed (L-07)
    witness_seconds: int = Field(default=600, ge=1)
    #: an approved act upon a batch that has been due for so long has nobody to do it (O-08)
    act_seconds: int = Field(default=30, ge=1)


#: settings of several members, and those that are models of their own
_LISTS: Final = ("trusted_hosts", "witnesses", "internal_networks", "volumes", "volume_percents")
_PARTS: Final = ("site", "watch")


class Settings(BaseModel):
    """Everything that differs between two deployments."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    #: login of the owner (commands and migrations) and, with `SET ROLE`, of both portals
    database_url: str = Field(min_length=1)
    #: logins of the portals' own; without them the portals take their role on DATABASE_URL
    candidates_database_url: str | None = None
    offices_database_url: str | None = None
    redis_url: str = Field(min_length=1)
    keys_directory: Path
    #: hosts a request may name (Werkzeug's trusted hosts); everything else is refused
    trusted_hosts: tuple[str, ...] = ("localhost", "127.0.0.1")
    #: gunicorn workers per portal: limits kept in memory are divided by it when Redis is away (R-08)
    workers: int = Field(default=2, ge=1, le=64)
    #: threads of one worker: one behind nginx, more where browsers reach gunicorn themselves
    threads: int = Field(default=1, ge=1, le=16)
    #: one proxy of ours (nginx) in front sets X-Real-IP and X-Request-Id; without it the socket's address is the client
    behind_proxy: bool = False
    #: seconds after the close in which a lock already asked for is still honoured (O-04)
    grace_seconds: int = Field(default=0, ge=0, le=120)
    #: idle and absolute life of a candidate's session, seconds (S-03)
    idle_seconds: int = Field(default=900, ge=60)
    session_seconds: int = Field(default=14_400, ge=600)
    #: codes of the shortest card in circulation (C-02)
    card_codes: int = Field(default=40, ge=10, le=60)
    #: minutes in which a second officer decides on what a first one proposes
    proposal_minutes: int = Field(default=30, ge=5, le=1440)
    #: minutes for which an approved act upon a batch waits and can be cancelled; suspending never waits (O-10)
    cool_off_minutes: int = Field(default=5, ge=0, le=60)
    #: cards one officer may replace in 24 hours, as the first or the second of two (D-13)
    replacements_a_day: int = Field(default=20, ge=1)
    #: phone numbers one officer may look at in full a day (P-02)
    reveals_per_day: int = Field(default=50, ge=1, le=1_000)
    #: who cosigns the checkpoints, each KEY@URL as `python -m admin.witness init` prints the key; only the sealer asks
    witnesses: tuple[str, ...] = ()
    log_level: Literal["DEBUG", "INFO", "WARNING"] = "INFO"
    #: where messages to candidates go: "log", "smtp://…", "https://…" (a webhook)
    sender: str = "log"
    #: addresses that may ask /ready and /metrics; behind a proxy also whoever reaches the socket past it (X-13)
    internal_networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    site: Site = Site()
    watch: Watch = Watch()

    @field_validator("internal_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            ip_network(one)
        return value

    @property
    def internal(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """`internal_networks`, read."""
        return tuple(ip_network(one) for one in self.internal_networks)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings, or raise `SettingsError` naming every one that is wrong."""
        found = os.environ if environment is None else environment
        values = _read(cls, found)
        if "CREDENTIALS_DIRECTORY" in found:
            values.setdefault("keys_directory", found["CREDENTIALS_DIRECTORY"])
        values["site"] = _read(Site, found, "SITE_")
        values["watch"] = _read(Watch, found, "WATCH_")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'_'.join(str(part) for part in one['loc']).upper()}: {one['msg']}" for one in error.errors()
            )
            raise SettingsError(f"check these environment variables: {wrong}") from error

    def database_url_of(self, portal: Portal) -> tuple[str, str | None]:
        """The URL a portal connects with, and the role it must take there (None: the login is the role)."""
        own = self.candidates_database_url if portal == "candidates" else self.offices_database_url
        return (own, None) if own else (self.database_url, f"zhiyuan_{portal}")

    def keys(self) -> KeyRing:
        """Load the secrets; raises `config.keys.KeysError` naming the missing file."""
        return KeyRing.load(self.keys_directory)

    def seal_keys(self) -> SealKeys:
        """Load what the sealer signs with, and nothing else; raises `config.keys.KeysError`."""
        return SealKeys.load(self.keys_directory)


def _read(model: type[BaseModel], found: Mapping[str, str], prefix: str = "") -> dict[str, object]:
    """The variables a model knows, by the names of its fields; blanks stand between the members of a list."""
    named = {name: found.get(f"{prefix}{name.upper()}") for name in model.model_fields if name not in _PARTS}
    return {name: value.split() if name in _LISTS else value for name, value in named.items() if value is not None}
