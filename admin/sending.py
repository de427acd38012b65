"""Sending the messages to candidates (`app.notices`): taken from the table, handed to a gateway, noted.

A message is leased before it is sent and noted right after, each in a transaction of its own, so nothing is
locked while a gateway thinks, and two senders never take the same one. Only a sender killed between the
gateway's yes and the note sends again, with the same key: a gateway that keeps keys delivers it once.

    log, log:FILE                     a line of JSON, the phone masked; for tests, demo and rehearsal
    smtp://[USER@]HOST[:PORT]/DOMAIN  mail to PHONE@DOMAIN, an SMS gateway's; `smtps://` speaks TLS from the start
    https://HOST/PATH                 POST of {"to", "text", "kind", "key"}, header Idempotency-Key

The secret of a gateway (password, or bearer token) is the file `sender_secret` beside the keys.
"""

import hashlib
import http.client
import ipaddress
import json
import os
import smtplib
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import SplitResult, urlsplit

from babel.support import Translations
from cryptography.exceptions import InvalidTag

import app
from app import notices
from app.candidates import Sealer
from app.db import Database, Write, together
from app.errors import Unavailable
from app.notices import Due
from app.phones import masked
from config.settings import Settings, SettingsError

BATCH: Final = 20
PARALLEL: Final = 5
TIMEOUT_S: Final = 5.0
#: longer than a whole batch can take: six exchanges of five seconds, four times over
LEASE: Final = timedelta(minutes=5)
#: between two looks at an empty queue
PAUSE_S: Final = 2.0
#: between attempts to write down what happened
NOTE_WAITS_S: Final = (0.2, 1.0, 5.0, 20.0)
_TRANSLATIONS: Final = Path(app.__file__).parent / "translations"


@dataclass(frozen=True, slots=True)
class Message:
    """What a gateway is given. `key` is the same however often it is tried."""

    key: str
    kind: str
    to: str
    text: str


class NotSentError(Exception):
    """The gateway did not take the message; the words are for the operator and name no phone number."""


class Sender(Protocol):
    """A way to candidates."""

    def send(self, message: Message) -> None:
        """Hand over one message, or raise `NotSentError`. Called from several threads."""


class ToLog:
    """Writes messages down instead of sending them."""

    def __init__(self, path: Path | None = None) -> None:
        """`path` is made readable for its owner alone; None is standard error."""
        self._path = path
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Write one line."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        told = {"at": at, "to": masked(message.to), "kind": message.kind, "text": message.text}
        line = json.dumps(told, ensure_ascii=False) + "\n"
        with self._lock:
            if self._path is None:
                sys.stderr.write(line)
                return
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(handle, "a", encoding="utf-8") as file:
                file.write(line)


class ToMail:
    """Sends mail to a gateway that turns it into short messages."""

    def __init__(self, url: SplitResult, secret: str | None) -> None:
        self._host = url.hostname or ""
        self._direct = url.scheme == "smtps"
        self._port = url.port or (465 if self._direct else 25)
        self._user = url.username
        self._secret = secret
        self._domain = url.path.strip("/")
        if not (self._host and self._domain):
            raise SettingsError("SENDER must read smtp://HOST:PORT/DOMAIN; messages go to PHONE@DOMAIN")
        if self._user and not secret:
            raise SettingsError("SENDER names a user; put the password into the file sender_secret beside the keys")

    def send(self, message: Message) -> None:
        """Deliver one mail over a connection of its own."""
        mail = EmailMessage()
        mail["From"] = f"zhiyuan@{self._domain}"
        mail["To"] = f"{message.to}@{self._domain}"
        mail["Subject"] = message.kind
        mail["Message-ID"] = f"<{message.key}@{self._domain}>"
        mail.set_content(message.text, charset="utf-8", cte="base64")
        try:
            with self._line() as line:
                line.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:  # its own words hold the phone number
            codes = sorted({code for code, _ in error.recipients.values()})
            raise NotSentError(f"the mail gateway refused the recipient: {codes}") from error
        except smtplib.SMTPResponseException as error:
            raise NotSentError(f"the mail gateway answered {error.smtp_code}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise NotSentError(f"the mail gateway could not be used: {type(error).__name__}") from error

    def _line(self) -> smtplib.SMTP:
        trust = ssl.create_default_context()
        if self._direct:
            line: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=TIMEOUT_S, context=trust)
        else:
            line = smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_S)
            if not _is_this_machine(self._host):  # phone numbers cross no network in the clear
                line.starttls(context=trust)
        if self._user and self._secret:
            line.login(self._user, self._secret)
        return line


class ToWebhook:
    """Posts messages to a gateway's address."""

    def __init__(self, url: SplitResult, secret: str | None) -> None:
        self._host = url.hostname or ""
        self._plain = url.scheme == "http"
        self._port = url.port
        self._path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        self._secret = secret
        if self._plain and not _is_this_machine(self._host):
            raise SettingsError("SENDER must be https:// (http:// only for a gateway on this machine)")

    def send(self, message: Message) -> None:
        """Post one message; every answer of 200 to 299 means it was taken. Redirects are not followed."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": message.key}
        if self._secret:
            headers["Authorization"] = f"Bearer {self._secret}"
        told = {"to": message.to, "text": message.text, "kind": message.kind, "key": message.key}
        line = self._line()
        try:
            line.request("POST", self._path, body=json.dumps(told).encode(), headers=headers)
            status = line.getresponse().status
        except (http.client.HTTPException, OSError) as error:
            raise NotSentError(f"the gateway could not be reached: {type(error).__name__}") from error
        finally:
            line.close()
        if not 200 <= status < 300:
            raise NotSentError(f"the gateway answered {status}")

    def _line(self) -> http.client.HTTPConnection:
        if self._plain:
            return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        trust = ssl.create_default_context()
        return http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT_S, context=trust)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def sender_of(settings: Settings) -> Sender:
    """The sender that `SENDER` names. Raises `SettingsError` with the remedy."""
    if settings.sender == "log" or settings.sender.startswith("log:"):
        path = settings.sender.removeprefix("log").removeprefix(":")
        return ToLog(Path(path) if path else None)
    secret_file = settings.keys_directory / "sender_secret"
    secret = secret_file.read_text(encoding="utf-8").strip() if secret_file.exists() else None
    url = urlsplit(settings.sender)
    if url.scheme in {"smtp", "smtps"}:
        return ToMail(url, secret)
    if url.scheme in {"http", "https"}:
        return ToWebhook(url, secret)
    raise SettingsError("SENDER must be log, log:FILE, smtp://…, smtps://… or https://…")


@dataclass(frozen=True, slots=True)
class Post:
    """Everything sending takes."""

    database: Database
    sealer: Sealer
    sender: Sender
    hotline: str

    def round(self) -> tuple[int, int]:
        """Send one batch of what is due; returns how many were sent and how many were not. (0, 0): none due."""
        with self.database.transaction() as session:
            taken = notices.take_due(session, BATCH, LEASE)
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="post") as pool:
            outcomes = list(pool.map(self._one, taken))
        return sum(outcomes), len(outcomes) - sum(outcomes)

    def counts(self) -> dict[str, int]:
        """How many messages were sent, are waiting, and were given up."""
        with self.database.transaction() as session:
            return notices.counts(session)

    def in_trouble(self) -> list[dict[str, Any]]:
        """Messages that could not be sent yet, or were given up (no `due_at`), oldest first."""
        with self.database.transaction() as session:
            return notices.in_trouble(session)

    def until_stopped(self, stopped: threading.Event) -> None:
        """Send whatever becomes due until `stopped` is set. A database that is away delays, nothing else."""
        while not stopped.is_set():
            try:
                idle = self.round() == (0, 0)
            except Unavailable:
                idle = True
            if idle:
                stopped.wait(PAUSE_S)

    def _one(self, due: Due) -> bool:
        trouble, final = "", False
        if notices.too_late(due, datetime.now(UTC)):
            self._note(notices.not_sent(due.id, "what it tells of has passed, or was moved", final=True))
            return False
        try:
            self.sender.send(self._written(due))
        except NotSentError as error:
            trouble = str(error)
        except (KeyError, InvalidTag, _NoPhoneError) as error:
            trouble, final = f"this message cannot be written: {type(error).__name__}", True
        self._note(notices.not_sent(due.id, trouble, final=final) if trouble else notices.sent(due.id))
        return not trouble

    def _note(self, note: Write) -> None:
        """Write down what happened, through a restart of the database: what is not noted is sent again."""
        for wait in (*NOTE_WAITS_S, None):
            try:
                with self.database.transaction() as session:
                    together(session, note)
            except Unavailable:
                if wait is None:
                    raise
                time.sleep(wait)
            else:
                return

    def _written(self, due: Due) -> Message:
        if due.mobile_sealed is None:
            raise _NoPhoneError
        to = self.sealer.open(bytes(due.mobile_sealed), column=due.mobile_column, row=due.candidate_id)
        # the key in the table holds the card's serial or a digest; the gateway needs neither
        key = hashlib.sha256(due.key.encode()).hexdigest()[:32]
        text = notices.wording(due.kind, due.params, due.created_at, self.hotline, _gettext())
        if self.database.is_rehearsal:
            text = f"{_gettext()(notices.REHEARSAL)}{text}"
        return Message(key, due.kind, to, text)


class _NoPhoneError(Exception):
    """The candidate left no phone number."""


@cache
def _gettext() -> Callable[[str], str]:
    return Translations.load(_TRANSLATIONS, ["zh_Hans"]).gettext


@contextmanager
def post_office(settings: Settings) -> Iterator[Post]:
    """What `python -m admin send` sends with, as the owner of the database."""
    keys = settings.keys()
    sender = sender_of(settings)
    database = Database(settings.database_url, pool_size=PARALLEL + 1)
    try:
        yield Post(database, Sealer(keys.column_key, keys.index_key), sender, settings.site.hotline)
    finally:
        database.dispose()
