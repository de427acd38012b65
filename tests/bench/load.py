"""The load: so many clients at once, each request on a connection of its own, as behind nginx.

A process of its own (`python -m tests.bench.load SOCKET FILE CLIENTS`), so that it shares no interpreter with
what it measures, and small, so that it leaves the machine to it. Requests are bytes made beforehand.
"""

import json
import pickle
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

CLIENTS = 8
#: what a browser sends with every request, and nginx adds
HEADERS = {
    "Host": "localhost",
    "User-Agent": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "zh-CN,zh;q=0.9",
    "Connection": "close",
    "X-Real-IP": "10.1.2.3",
}


def get(path: str, cookies: Mapping[str, str] | None = None, **headers: str) -> bytes:
    """The bytes of a GET."""
    return _request("GET", path, cookies or {}, {**HEADERS, **headers}, b"")


def post(path: str, cookies: Mapping[str, str], fields: Mapping[str, str], **headers: str) -> bytes:
    """The bytes of a POST of a form from one of our own pages."""
    body = urlencode(fields).encode()
    ours = {
        "Origin": "https://localhost",
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
    }
    return _request("POST", path, cookies, {**HEADERS, **ours, **headers}, body)


def _request(method: str, path: str, cookies: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if cookies:
        lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items()))
    return "\r\n".join([*lines, "", ""]).encode() + body


def rate(place: Path, requests: Sequence[bytes], status: int, clients: int = CLIENTS) -> float:
    """Requests a second when all are sent once; raises `RuntimeError` when one is answered otherwise."""
    with tempfile.NamedTemporaryFile() as file:
        pickle.dump(list(requests), file)
        file.flush()
        command = [sys.executable, "-m", "tests.bench.load", str(place), file.name, str(clients)]
        said = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    if said["statuses"] != {str(status): len(requests)}:
        raise RuntimeError(f"{requests[0].splitlines()[0]!r}: answered {said['statuses']}, not all {status}")
    return len(requests) / float(said["seconds"])


def _drive(place: str, requests: list[bytes], clients: int) -> dict[str, object]:
    statuses: Counter[str] = Counter()
    waiting = iter(requests)
    poll = select.epoll()
    open_sockets: dict[int, socket.socket] = {}
    begun: dict[int, bytes] = {}
    started = time.perf_counter()
    for _ in range(clients):
        _begin(place, waiting, poll, open_sockets)
    while open_sockets:
        for number, _ in poll.poll():
            connection = open_sockets[number]
            data = connection.recv(262_144)
            begun.setdefault(number, data[:12])
            if data:
                continue
            statuses[begun.pop(number)[9:12].decode()] += 1
            del open_sockets[number]
            connection.close()
            _begin(place, waiting, poll, open_sockets)
    return {"seconds": time.perf_counter() - started, "statuses": statuses}


def _begin(place: str, waiting: Iterator[bytes], poll: select.epoll, open_sockets: dict[int, socket.socket]) -> None:
    request = next(waiting, None)
    if request is not None:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(place)
        connection.sendall(request)
        poll.register(connection, select.EPOLLIN)
        open_sockets[connection.fileno()] = connection


if __name__ == "__main__":
    with Path(sys.argv[2]).open("rb") as prepared:
        print(json.dumps(_drive(sys.argv[1], pickle.load(prepared), int(sys.argv[3]))))  # noqa: S301 -- our own file
