"""TCP proxy between two of our processes, that can be cut as by kill -9, or stand still as a network does that has gone."""

import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: what is left unsent is thrown away
WAKE_SECONDS = 0.2
Target = int | Path  # a port of this machine, or a socket


class Proxy:
    """Passes each connection on to the next of its targets."""

    def __init__(self, *targets: Target) -> None:
        self._targets = deque(targets)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(WAKE_SECONDS)
        self.port: int = self._listener.getsockname()[1]
        self.held = 0  # bytes that wait while it stands still
        self._flows, self._is_cut, self._is_ended = threading.Event(), False, False
        self._flows.set()
        self._wires: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """End every connection, and take no other."""
        self._is_cut = True
        for wire in self._wires:
            with contextlib.suppress(OSError):
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                wire.shutdown(socket.SHUT_RDWR)
            wire.close()
        self._wires.clear()

    def stall(self) -> None:
        """Keep every connection, and pass nothing on."""
        self.held = 0
        self._flows.clear()

    def resume(self) -> None:
        """Pass on what waits, and take connections again."""
        self._is_cut = False
        self._flows.set()

    def close(self) -> None:
        """End it."""
        self._is_ended = True
        self._flows.set()
        self.cut()
        self._thread.join(10)
        self._listener.close()

    def _accept(self) -> None:
        while not self._is_ended:
            with contextlib.suppress(OSError):  # the time is over, or nothing listens there
                wire, _ = self._listener.accept()
                if self._is_cut:
                    wire.close()
                    continue
                self._wires.append(wire)
                there = self._connected()
                if not there:
                    wire.close()
                    continue
                self._wires.append(there)
                for pair in ((wire, there), (there, wire)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if not self._flows.is_set():
                    self.held += len(data)
                self._flows.wait(60)
                target.sendall(data)
        with contextlib.suppress(
            OSError
        ):  # also where its end was no orderly one, or the other side would wait for more
            target.shutdown(socket.SHUT_WR)

    def _connected(self) -> socket.socket | None:
        """Connect to the next target that listens."""
        for _ in range(len(self._targets)):
            self._targets.rotate()
            with contextlib.suppress(OSError):
                return _connect(self._targets[0])
        return None


def _connect(target: Target) -> socket.socket:
    if isinstance(target, int):
        return socket.create_connection(("127.0.0.1", target), 5)
    wire = socket.socket(socket.AF_UNIX)
    wire.connect(str(target))
    return wire


@contextlib.contextmanager
def proxy(*targets: Target) -> Iterator[Proxy]:
    """Run a proxy for as long as it is needed."""
    running = Proxy(*targets)
    try:
        yield running
    finally:
        running.close()
