"""Servers on loopback that are no gateway, or none that works: a web page, a proxy, one that hangs up."""

import socket
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Generator[int]:
    """A server on loopback that lets `answer` have each connection; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(10)
                    try:
                        answer(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR) if sys.platform == "linux" else None
            listener.close()
            thread.join(10)


def saying(status: str, body: str = "", *headers: str) -> Callable[[socket.socket], None]:
    """Answer every request alike."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", "Connection: close", *headers]

    def answer(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(("\r\n".join(head) + "\r\n\r\n" + body).encode())

    return answer


def closed_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
