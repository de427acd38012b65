"""Messages reach a gateway once, in the right words; a gateway that is away delays them and nothing else."""

import http.server
import json
import re
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag

from admin import sending
from admin.sending import Post, ToLog, ToMail, ToWebhook, sender_of
from app import notices
from app.db import together
from config.settings import SettingsError
from tests.makers import Person, World


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server that keeps what it is given; `refuse` is the answer to every recipient instead."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.mails: list[tuple[str, bytes]] = []
        self.refuse = ""


class _Conversation(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        recipient = ""
        self._say("220 here")
        while line := self.rfile.readline():
            word = line.decode().strip()
            if word.upper().startswith("RCPT"):
                recipient = word.split("<")[1].rstrip(">")
                self._say(self.server.refuse or "250 fine")
            elif word.upper() == "DATA":
                self._say("354 go on")
                self.server.mails.append((recipient, self._letter()))
                self._say("250 taken")
            elif word.upper() == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _letter(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line)
        return b"".join(lines)

    def _say(self, words: str) -> None:
        self.wfile.write(words.encode() + b"\r\n")


class Gateway(http.server.ThreadingHTTPServer):
    """A webhook that keeps what it is given; `status` is what it answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.requests: list[tuple[dict[str, str], dict[str, str]]] = []
        self.status = 200
        self.delay = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/send?account=1"


class _Hook(http.server.BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.server.delay)
        self.server.requests.append((dict(self.headers), json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name upstream
        """Say nothing."""


@contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    server = Mailbox()
    with _running(server):
        yield server


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    server = Gateway()
    with _running(server):
        yield server


@pytest.fixture
def post(world: World) -> Iterator[Callable[[str], Post]]:
    """A function that opens a post office with a sender."""
    opened = []

    def office(sender: str) -> Post:
        settings = world.settings.model_copy(update={"sender": sender})
        opened.append(sending.post_office(settings))
        return opened[-1].__enter__()

    yield office
    for one in opened:
        one.__exit__(None, None, None)


def _queue(world: World, person: Person, kind: notices.Kind = "activated", key: str = "1", **params: object) -> None:
    with world.database.transaction() as session:
        together(session, notices.notice(kind, person.id, key, mobile_sealed=None, **params))


def _all_due(world: World) -> None:
    world.do("UPDATE notices SET due_at = clock_timestamp() WHERE sent_at IS NULL")


def test_a_webhook_is_given_phone_text_and_key(world: World, gateway: Gateway, post: Callable[[str], Post]) -> None:
    person = world.candidate(card=False)
    _queue(world, person, "filed", batch="本科一批", number=2, digest="0a1b2c3d", at="2017-06-28T06:02:11+00:00")
    (world.keys_directory / "sender_secret").write_text("token of ours\n")
    assert post(gateway.url).round() == (1, 0)
    headers, body = gateway.requests[0]
    assert body["to"].startswith("138")
    assert "本科一批" in body["text"]
    assert "0a1b2c3d" in body["text"]
    assert body["kind"] == "filed"
    assert headers["Idempotency-Key"] == body["key"]
    assert re.fullmatch("[0-9a-f]{32}", body["key"])
    assert headers["Authorization"] == "Bearer token of ours"
    assert world.value("SELECT sent_at IS NOT NULL AND attempts = 1 AND trouble IS NULL FROM notices")


def test_mail_goes_to_the_gateways_domain(world: World, mailbox: Mailbox, post: Callable[[str], Post]) -> None:
    person = world.candidate(card=False)
    _queue(world, person)
    assert post(f"smtp://127.0.0.1:{mailbox.server_address[1]}/sms.example").round() == (1, 0)
    recipient, raw = mailbox.mails[0]
    assert re.fullmatch(r"138[0-9]{8}@sms\.example", recipient)
    mail = message_from_bytes(raw, policy=policy.default)
    assert world.settings.site.hotline in mail.get_content()
    assert mail["Message-ID"].endswith("@sms.example>")


def test_the_log_keeps_no_whole_phone_number(world: World, tmp_path: Path, post: Callable[[str], Post]) -> None:
    _queue(world, world.candidate(card=False))
    path = tmp_path / "messages.log"
    assert post(f"log:{path}").round() == (1, 0)
    told = json.loads(path.read_text())
    assert told["to"].startswith("138****")
    assert told["kind"] == "activated"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_gateway_that_does_not_take_it_is_tried_again_later(
    world: World, gateway: Gateway, post: Callable[[str], Post], status: int
) -> None:
    _queue(world, world.candidate(card=False))
    gateway.status = status
    office = post(gateway.url)
    waits = []
    for _ in range(3):
        assert office.round() == (0, 1)
        assert office.round() == (0, 0)  # not before its wait is over
        waits.append(world.value("SELECT extract(epoch FROM due_at - clock_timestamp()) FROM notices"))
        _all_due(world)
    assert [round(float(wait) / 30) for wait in waits] == [1, 2, 4]
    assert world.value("SELECT trouble FROM notices") == f"the gateway answered {status}"
    gateway.status = 204
    assert office.round() == (1, 0)
    assert world.value("SELECT attempts FROM notices") == 4
    assert len({body["key"] for _, body in gateway.requests}) == 1


def test_a_gateway_that_is_away_is_tried_again_later(world: World, post: Callable[[str], Post]) -> None:
    _queue(world, world.candidate(card=False))
    for sender in ("http://127.0.0.1:1/", "smtp://127.0.0.1:1/sms.example"):
        assert post(sender).round() == (0, 1)
        assert "ConnectionRefusedError" in world.value("SELECT trouble FROM notices")
        _all_due(world)


def test_a_refused_recipient_is_noted_without_the_number(
    world: World, mailbox: Mailbox, post: Callable[[str], Post]
) -> None:
    _queue(world, world.candidate(card=False))
    mailbox.refuse = "550 nobody here"
    assert post(f"smtp://127.0.0.1:{mailbox.server_address[1]}/sms.example").round() == (0, 1)
    trouble = world.value("SELECT trouble FROM notices")
    assert "550" in trouble
    assert "138" not in trouble


def test_what_is_too_old_and_what_has_no_phone_is_given_up(
    world: World, gateway: Gateway, post: Callable[[str], Post]
) -> None:
    gateway.status = 500
    old, silent = world.candidate(card=False), world.candidate(card=False, mobile_sealed=None)
    _queue(world, old)
    _queue(world, silent)
    world.do("UPDATE notices SET created_at = created_at - interval '4 days' WHERE candidate_id = :id", id=old.id)
    assert post(gateway.url).round() == (0, 2)
    with world.database.transaction() as session:
        assert notices.counts(session) == {"sent": 0, "waiting": 0, "given_up": 2}
    assert len(gateway.requests) == 1


def test_two_senders_at_once_send_each_message_once(
    world: World, gateway: Gateway, post: Callable[[str], Post]
) -> None:
    person = world.candidate(card=False)
    for number in range(60):
        _queue(world, person, key=str(number))
    gateway.delay = 0.01
    offices = [post(gateway.url), post(gateway.url)]

    def work(office: Post) -> None:
        while office.round() != (0, 0):
            pass

    threads = [threading.Thread(target=work, args=(office,)) for office in offices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keys = [body["key"] for _, body in gateway.requests]
    assert len(keys) == 60
    assert len(set(keys)) == 60
    assert world.value("SELECT count(*) FROM notices WHERE sent_at IS NOT NULL AND attempts = 1") == 60


def test_messages_of_a_sender_that_died_are_sent_when_its_lease_is_over(
    world: World, gateway: Gateway, post: Callable[[str], Post]
) -> None:
    _queue(world, world.candidate(card=False))
    with world.database.transaction() as session:
        assert len(notices.take_due(session, 20, timedelta(minutes=5))) == 1
    office = post(gateway.url)
    assert office.round() == (0, 0)
    _all_due(world)
    assert office.round() == (1, 0)


def test_a_message_about_one_candidate_goes_before_those_to_thousands(
    world: World, gateway: Gateway, post: Callable[[str], Post]
) -> None:
    person = world.candidate(card=False)
    world.do("""
        INSERT INTO notices (candidate_id, kind, params, dedupe, created_at, due_at)
        SELECT c.id, 'nothing_filed', '{"batch": "1", "closes_at": "2099-06-27T10:00:00+00:00"}', CAST(i AS text),
               clock_timestamp(), clock_timestamp()
        FROM candidates c, generate_series(1, 100) i
    """)
    _queue(world, person, "new_device", device="Chrome · Android")
    assert post(gateway.url).round() == (sending.BATCH, 0)
    assert "new_device" in {body["kind"] for _, body in gateway.requests}


def test_the_loop_stops_when_told(world: World, gateway: Gateway, post: Callable[[str], Post]) -> None:
    _queue(world, world.candidate(card=False))
    stopped = threading.Event()
    thread = threading.Thread(target=post(gateway.url).until_stopped, args=(stopped,))
    thread.start()
    while not world.value("SELECT sent_at FROM notices"):
        time.sleep(0.02)
    stopped.set()
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    "sender",
    ["pigeon", "http://gateway.example/", "smtp://gateway.example", "smtp://me@gateway.example/sms.example"],
)
def test_a_wrong_sender_is_refused_with_the_remedy(world: World, sender: str) -> None:
    with pytest.raises(SettingsError, match="SENDER"):
        sender_of(world.settings.model_copy(update={"sender": sender}))


def test_senders_are_chosen_by_the_setting(world: World) -> None:
    kinds = {
        "log": ToLog,
        "smtps://gateway.example/sms.example": ToMail,
        "https://gateway.example/send": ToWebhook,
    }
    for sender, kind in kinds.items():
        assert isinstance(sender_of(world.settings.model_copy(update={"sender": sender})), kind)


PARAMS = {
    "device": "Chrome · Android",
    "batch": "本科一批",
    "number": 2,
    "digest": "0a1b2c3d",
    "opens_at": "2017-06-28T00:00:00+00:00",
    "closes_at": "2017-06-30T10:00:00+00:00",
    "was": "2017-06-30T09:00:00+00:00",
    "until": "2017-07-02T10:00:00+00:00",
    "document": "湘招复〔2017〕3号",
}


@pytest.mark.parametrize("kind", notices.KINDS)
def test_no_text_holds_a_link_or_what_was_filed(world: World, kind: notices.Kind) -> None:
    for gettext in (str, sending._gettext()):
        text = notices.wording(kind, PARAMS, world.value("SELECT clock_timestamp()"), "0731-1", gettext)
        assert not re.search(r"https?:|www\.|%\(|[a-z]\.(com|cn|example)", text)
        assert "0731-1" in text
        assert len(text) < 400


def test_a_phone_of_another_row_is_not_opened(world: World, gateway: Gateway, post: Callable[[str], Post]) -> None:
    first, second = world.candidate(card=False), world.candidate(card=False)
    world.do(
        "UPDATE candidates SET mobile_sealed = (SELECT mobile_sealed FROM candidates WHERE id = :a) WHERE id = :b",
        a=first.id,
        b=second.id,
    )
    _queue(world, second)
    assert post(gateway.url).round() == (0, 1)
    assert world.value("SELECT trouble FROM notices") == f"this message cannot be written: {InvalidTag.__name__}"
    assert not gateway.requests


def test_a_slow_gateway_holds_nothing_locked(world: World, gateway: Gateway, post: Callable[[str], Post]) -> None:
    _queue(world, world.candidate(card=False))
    gateway.delay = 1
    thread = threading.Thread(target=post(gateway.url).round)
    thread.start()
    time.sleep(0.4)
    assert (
        world.value(
            "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
            " WHERE c.relname = 'notices' AND l.mode = 'RowExclusiveLock'"
        )
        == 0
    )
    thread.join()
