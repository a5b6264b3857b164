"""How often one may post: so many at once, then again as the bucket runs out; one network is one sender."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postbox.public import rate_limit
from postbox.public.rate_limit import Rate, network


@pytest.mark.parametrize(("rate", "posts", "waits"), [
    (Rate(3, 60), ["tom 0"] * 4, [0, 0, 0, 20]),
    (Rate(3, 60), [*["tom 0"] * 3, "tom 19", "tom 20", "tom 20", "tom 40", *["tom 1000"] * 4], [0, 0, 0, 1, 0, 20, 0, 0, 0, 0, 20]),
    (Rate(1, 60), ["tom 0", *[f"tom {now}" for now in range(1, 60)], "tom 60.001"], [0, *range(59, 0, -1), 0]),
    (Rate(1, 60), ["tom 0", "ann 0"], [0, 0]),
], ids=["so many at once", "then as the bucket runs out", "asking costs nothing", "each sender has its own"])  # fmt: skip
def test_who_posts_too_often_is_told_how_long_to_wait(rate: Rate, posts: list[str], waits: list[float]) -> None:
    told = [rate.wait(sender, float(now)) for sender, now in map(str.split, posts)]

    assert told == pytest.approx(waits)


def test_a_flood_of_senders_takes_bounded_memory_and_forgets_the_idle_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MAX_BUCKETS", 10)
    one_a_minute = Rate(1, 60)
    one_a_minute.wait("busy", 0)
    for number in range(100):
        one_a_minute.wait(f"{number}", 1)
        assert one_a_minute.wait("busy", 1) > 0

    assert len(one_a_minute._buckets) == 10


@settings(deadline=None)
@given(
    st.integers(1, 50),
    st.floats(0.1, 1e6),
    st.lists(st.floats(0, 1e5), min_size=1, max_size=200),
)
def test_in_no_span_do_more_come_through_than_allowed(limit: int, seconds: float, gaps: list[float]) -> None:
    rate, now, taken = Rate(limit, seconds), 0.0, []
    for gap in gaps:
        now += gap
        if not rate.wait("tom", now):
            taken.append(now)

    for first in range(len(taken)):
        within = sum(1 for time in taken[first:] if time - taken[first] < seconds)
        assert within <= 2 * limit  # what the bucket holds, and what runs out of it meanwhile


@pytest.mark.parametrize(("limit", "seconds"), [(0, 600), (30, 0)])
def test_a_rate_that_would_let_nobody_in_is_refused_at_the_start(limit: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="lets nobody in"):
        Rate(limit, seconds)


@pytest.mark.parametrize(("one", "other", "same"), [
    ("192.0.2.1", "192.0.2.254", True), ("192.0.2.1", "192.0.3.1", False),
    ("2001:db8:1::1", "2001:db8:1:ffff::1", True),
    ("2001:db8:1::1", "2001:db8:2::1", False),
    ("::ffff:192.0.2.1", "192.0.2.77", True),
    ("::ffff:192.0.2.1", "::ffff:198.51.100.1", False),
    ("::ffff:c000:0201", "192.0.2.77", True), ("fe80::1%eth0", "fe80::2", True), ("", "192.0.2.1", False),
    ("unix:", "testclient", False),
    ("192.0.2.1, 198.51.100.1", "192.0.2.1", False),
])  # fmt: skip
def test_one_network_is_one_sender(one: str, other: str, same: bool) -> None:
    assert (network(one) == network(other)) is same


@settings(deadline=None)
@given(st.ip_addresses(v=4), st.integers(0, 255))
def test_one_network_is_one_sender_however_its_addresses_are_written(address: IPv4Address, last: int) -> None:
    neighbour = IPv4Address(int(address) & ~255 | last)

    assert (
        network(str(address)) == network(f"::ffff:{neighbour}") == network(IPv6Address(f"::ffff:{neighbour}").exploded)
    )
    assert network(str(address)) != network(str(IPv4Address(int(address) ^ 256)))


@settings(deadline=None)
@given(st.text())
def test_whatever_stands_for_an_address_is_a_sender(text: str) -> None:
    assert isinstance(network(text), str)
