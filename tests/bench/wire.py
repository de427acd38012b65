"""The wire between us and PostgreSQL, listened to: how often a question goes out and an answer is awaited."""

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

#: messages of the client that make the server answer: Sync ends an extended query, Query is a simple one
_AWAITED: Final = frozenset(b"SQ")
_SOCKET: Final = ".s.PGSQL.5432"
_BLOCK: Final = 1 << 16


class Wire:
    """A relay in front of PostgreSQL's unix socket; `turns` counts round trips of all its connections."""

    def __init__(self, server: Path, directory: Path) -> None:
        """Listen in `directory` for clients of the server whose socket lies in `server`."""
        directory.mkdir()
        self.turns = 0
        #: what was asked, as far as it can be read, for whoever wants to know why there were so many
        self.asked: list[str] = []
        self._server = str(server / _SOCKET)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / _SOCKET))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                threading.Thread(target=self._relay, args=(client, server), daemon=True).start()
                threading.Thread(target=_pass_on, args=(server, client), daemon=True).start()

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what the client says, one whole message after another. The first one has no letter."""
        waiting, letters = b"", 0
        with suppress(OSError):
            while block := client.recv(_BLOCK):
                waiting += block
                server.sendall(block)
                awaited = False
                while len(waiting) >= letters + 4:
                    length = letters + int.from_bytes(waiting[letters : letters + 4])
                    if len(waiting) < length:
                        break
                    message, waiting = waiting[:length], waiting[length:]
                    if letters:
                        self.asked.append(_legible(message))
                        awaited |= message[0] in _AWAITED
                    letters = 1
                self.turns += awaited
            server.shutdown(socket.SHUT_WR)


def _pass_on(server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while block := server.recv(_BLOCK):
            client.sendall(block)
    client.close()
    server.close()


def _legible(message: bytes) -> str:
    text = message[5:].replace(b"\0", b" ").decode("utf-8", "replace")
    return f"{chr(message[0])} {' '.join(text.split())[:100]}" if message[0] in b"PQ" else chr(message[0])
