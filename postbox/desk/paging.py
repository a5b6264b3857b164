"""Pagination of the desk's lists, and the numbers in their addresses."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from postbox.desk.context import PER_PAGE


@dataclass(frozen=True)
class Pagination:
    """Page ``number`` of ``pages``, which begins behind ``offset`` items; ``number`` counts from 1."""

    number: int
    pages: int
    offset: int


def paginate(query: Mapping[str, str], total: int) -> Pagination:
    """Return the page that a query asks for, or the nearest there is."""
    pages = max(1, math.ceil(total / PER_PAGE))
    number = min(max(parse_int(query.get("page", "")), 1), pages)
    return Pagination(number, pages, (number - 1) * PER_PAGE)


def parse_int(text: str) -> int:
    """Return the number in a query, 0 if it is none."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0


def parse_ints(text: str) -> list[int]:
    """Return the numbers in a field; no page of ours sends more than two for each item of a list."""
    return [int(number) for number in re.findall(r"[0-9]{1,9}", text)][: 2 * PER_PAGE]
