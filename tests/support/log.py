"""Shared by tests: log."""

import socket
from contextlib import suppress


def listens(port: int) -> bool:
    """Tell whether something listens on a port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
