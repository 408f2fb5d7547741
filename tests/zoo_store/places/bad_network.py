"""A network between a client and a server that breaks connections off, or lets them hang."""

import socket
import threading
from contextlib import suppress
from types import TracebackType

_PIECE_BYTES = 16 * 1024


class BadNetwork:
    """A port on loopback that passes bytes on to a server and back.

    Args:
        server_port: of the server, on loopback too.

    Attributes:
        num_bytes: that have come back from the server so far.
        num_bytes_left: that may still come back; without a limit when None.
        hangs: whether a connection that may pass nothing more stays open, instead of being broken off.
    """

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.num_bytes = 0
        self.num_bytes_left: int | None = None
        self.hangs = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "BadNetwork":
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in (self._listener, *self._open):
            _close(end)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.server_port))
            self._open += [client, server]
            for thread in (
                threading.Thread(target=self._pass, args=(client, server), kwargs={"counts": False}),
                threading.Thread(target=self._pass, args=(server, client), kwargs={"counts": True}),
            ):
                self._threads.append(thread)
                thread.start()

    def _pass(self, source: socket.socket, target: socket.socket, *, counts: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE_BYTES):
                if counts:
                    if self.num_bytes_left is not None:
                        piece = piece[: self.num_bytes_left]
                        self.num_bytes_left -= len(piece)
                        if not piece and self.hangs:
                            return
                        if not piece:
                            break
                    self.num_bytes += len(piece)
                target.sendall(piece)
        _close(source)
        _close(target)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
