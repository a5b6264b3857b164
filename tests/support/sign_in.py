"""Shared by tests: sign_in."""

from collections.abc import Callable
from datetime import datetime

Clock = Callable[[], datetime]
