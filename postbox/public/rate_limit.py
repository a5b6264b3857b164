"""Rate limit of posts: a bucket for each network, and one for all."""

import functools
import ipaddress
from dataclasses import dataclass, field

# More networks than this and the ones that have waited longest are let go; memory stays bounded.
MAX_BUCKETS = 50_000


@dataclass
class Rate:
    """Buckets that hold ``limit`` posts and fill again in ``seconds`` (a leaky bucket as a meter, ITU-T I.371)."""

    limit: int
    seconds: float
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.limit < 1 or self.seconds <= 0:
            raise ValueError(
                f"a rate of {self.limit} posts in {self.seconds} seconds lets nobody in; allow at least 1 in 1"
            )

    def wait(self, key: str, now: float) -> float:
        """Take one post from a bucket; return 0, or the seconds until there is room, with nothing taken.

        ``now`` is a clock in seconds that only goes forward.
        """
        level, last = self._buckets.pop(key, (0.0, now))
        level = max(0.0, level - (now - last) * self.limit / self.seconds)
        wait = max(0.0, (level + 1 - self.limit) * self.seconds / self.limit)
        self._buckets[key] = (level if wait else level + 1, now)
        if len(self._buckets) > MAX_BUCKETS:
            del self._buckets[next(iter(self._buckets))]
        return wait


@functools.lru_cache(1024)
def network(address: str) -> str:
    """Return the network that an address is one household or office of: /24 of IPv4, /48 of IPv6."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:  # a socket's path, a test's name
        return address
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.packed[: 3 if ip.version == 4 else 6].hex()
