"""The end of a serving process: asked for from anywhere, orderly if it can be, certain in any case.

Hosts ask with a signal or by closing stdin, and kill soon after (Claude Code sends SIGINT, SIGTERM 0.1 s later, then
SIGKILL). Whatever still blocks by then, such as a worker thread waiting for a name server, must not leave an orphan.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, Final

SECONDS: Final = 1.8
"""After being asked, the process is gone within this time; hosts give two seconds or less."""


class Ending:
    """How one process ends.

    Args:
        seconds: Time for an orderly end.
        leave: Ends the process there and then.
    """

    def __init__(self, seconds: float = SECONDS, leave: Callable[[], None] = lambda: os._exit(0)) -> None:
        self._seconds = seconds
        self._leave = leave
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Start the time for an orderly end, unless it is running already; may be called from any thread."""
        if self._timer is None:
            self._timer = threading.Timer(self._seconds, self._leave)
            self._timer.daemon = True
            self._timer.start()

    @contextmanager
    def on_signals(self, stop: Callable[[], None]) -> Generator[None]:
        """Call `stop` in the event loop when a signal asks the process to end; the same signal again ends it at once."""
        loop = asyncio.get_running_loop()
        previous: dict[int, Any] = {}

        def heard(number: int, _frame: object) -> None:
            signal.signal(number, previous[number] or signal.SIG_DFL)
            self.begin()
            loop.call_soon_threadsafe(stop)

        names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
        for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
            if signal.getsignal(number) is signal.SIG_IGN:  # such as SIGHUP under nohup
                continue
            with suppress(ValueError):  # not the main thread: whoever runs us there handles signals
                previous[number] = signal.signal(number, heard)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler or signal.SIG_DFL)


def fill_standard_descriptors() -> None:
    """Open the null device where stdin, stdout or stderr is closed, before a socket or a file takes its number."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison] - it is None when descriptor 2 was closed
        sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115 - lives as long as the process
