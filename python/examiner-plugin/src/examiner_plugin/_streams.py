"""The two streams of the protocol, out of reach of what a role reads and prints."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any, BinaryIO, Dict, Optional

from ._json import line

#: The environment variable by which Examiner says that it has started this process.
VARIABLE = "EXAMINER_PROTOCOL"
#: Seconds between two signs of life.
HEARTBEAT_S = 5.0


class Streams:
    """A line in, a line out."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO):
        self.incoming = incoming
        self._outgoing = outgoing
        self._lock = threading.Lock()

    def send(self, message: Dict[str, Any]) -> None:
        """Sends a message, as a line of its own, at once."""
        self.send_line(line(message))

    def send_line(self, data: bytes) -> None:
        """Sends a line."""
        with self._lock:
            self._outgoing.write(data)
            self._outgoing.flush()

    def beat(self, every: float = HEARTBEAT_S) -> None:
        """Sends a sign of life now and every few seconds, whatever else is done in this process."""
        data = line({"type": "heartbeat"})

        def forever() -> None:
            pause = threading.Event()
            try:
                while True:
                    self.send_line(data)
                    pause.wait(every)
            except (OSError, ValueError):
                # Examiner is gone, which the reader notices, too.
                pass

        threading.Thread(target=forever, name="examiner heartbeats", daemon=True).start()


streams: Optional[Streams] = None


def take_over() -> None:
    """Where Examiner has started this process: keeps its stdin and stdout for the protocol. What is printed, in Python or by a library,
    goes to stderr, and nothing can be read. An interrupt is for Examiner, which says when to stop."""
    global streams
    # The processes that this one starts are no roles.
    if os.environ.pop(VARIABLE, None) is None or streams is not None:
        return
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    streams = Streams(os.fdopen(incoming, "rb", 1 << 16), os.fdopen(outgoing, "wb", 1 << 16))
    streams.beat()
