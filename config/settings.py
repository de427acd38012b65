"""How one deployment is set up: frozen, typed, from the environment; no secret has a default.

Secrets are files in one directory (a systemd credentials directory, or `KEYS_DIRECTORY`), never
environment variables: an environment is inherited, dumped and logged.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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
    #: one proxy of ours (nginx) in front sets X-Real-IP; without it the socket's address is the client
    behind_proxy: bool = False
    #: seconds after the close in which a lock already asked for is still honoured (O-04)
    grace_seconds: int = Field(default=0, ge=0, le=120)
    #: idle and absolute life of a candidate's session, seconds (S-03)
    idle_seconds: int = Field(default=900, ge=60)
    session_seconds: int = Field(default=14_400, ge=600)
    #: codes of the shortest card in circulation (C-02)
    card_codes: int = Field(default=40, ge=10, le=60)
    log_level: Literal["DEBUG", "INFO", "WARNING"] = "INFO"
    #: where messages to candidates go: "log", "smtp://…", "https://…" (a webhook)
    sender: str = "log"
    site: Site = Site()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings, or raise `SettingsError` naming every one that is wrong."""
        found = os.environ if environment is None else environment
        values: dict[str, object] = {
            name: found[name.upper()] for name in cls.model_fields if name != "site" and name.upper() in found
        }
        if "CREDENTIALS_DIRECTORY" in found:
            values.setdefault("keys_directory", found["CREDENTIALS_DIRECTORY"])
        if "trusted_hosts" in values:
            values["trusted_hosts"] = tuple(str(values["trusted_hosts"]).split())
        values["site"] = {
            name: found[f"SITE_{name.upper()}"] for name in Site.model_fields if f"SITE_{name.upper()}" in found
        }
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
