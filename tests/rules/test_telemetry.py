"""Each message counts once and in order, however the way there loses, repeats and mixes them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fablab.telemetry.partitions import months
from fablab.telemetry.rules import Mark, Verdict, believable_span, is_fresh, judge, offline_counts

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
GAP_S = 90


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_what_is_committed_is_a_duplicate() -> None:
    mark = Mark(7, NOW)
    for seq in (1, 7):
        assert judge(mark, seq, later(1000), GAP_S) == (Verdict.DUPLICATE, mark)


def test_a_message_after_a_hole_waits_until_the_hole_is_old() -> None:
    verdict, mark = judge(Mark(7), 9, NOW, GAP_S)
    assert (verdict, mark) == (Verdict.HOLD, Mark(7, NOW))
    assert judge(mark, 10, later(89), GAP_S) == (Verdict.HOLD, mark)
    assert judge(mark, 9, later(90), GAP_S) == (Verdict.ACCEPT_GAP, Mark(9))


def test_the_missing_message_ends_the_wait() -> None:
    assert judge(Mark(7, NOW), 8, later(1000), GAP_S) == (Verdict.APPLY, Mark(8))


def test_a_stamp_is_believed_between_the_oldest_and_the_newest() -> None:
    assert believable_span(NOW, 90, 86400) == (NOW - timedelta(days=90), NOW + timedelta(days=1))


def test_a_word_is_fresh_only_while_young_and_its_bridge_is_there() -> None:
    assert not is_fresh(NOW, True, later(181), 180)
    assert not is_fresh(NOW, False, later(1), 180)
    assert is_fresh(NOW, True, later(180), 180)


def test_a_late_good_bye_of_an_earlier_start_does_not_count() -> None:
    assert not offline_counts("second", "first")
    assert offline_counts("first", "first")
    assert offline_counts(None, "first")


@pytest.mark.parametrize(
    ("since", "until", "count"),
    [
        (datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC), 5),
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), 2),
        (NOW, NOW, 1),
    ],
)
def test_months_are_all_there(since: datetime, until: datetime, count: int) -> None:
    found = months(since, until)
    assert len(found) == count
    assert all(first.day == 1 and first.hour == 0 for first in found)


class GoBackN(RuleBasedStateMachine):
    """A bridge's outbox, a network that loses, repeats and reorders, and the server's mark."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0
        self.following = 1
        self.known = 0
        self.network: list[int] = []
        self.mark = Mark()
        self.applied: list[int] = []
        self.seconds = 0.0

    @rule(count=st.integers(1, 5))
    def make(self, count: int) -> None:
        self.made += count

    @rule(window=st.integers(1, 8))
    def send(self, window: int) -> None:
        while self.following <= min(self.made, self.known + window):
            self.network.append(self.following)
            self.following += 1

    @precondition(lambda self: self.network)
    @rule(place=st.integers(0, 100), again=st.booleans())
    def deliver(self, place: int, again: bool) -> None:
        place %= len(self.network)
        seq = self.network[place] if again else self.network.pop(place)
        verdict, self.mark = judge(self.mark, seq, later(self.seconds), GAP_S)
        assert verdict is not Verdict.ACCEPT_GAP
        if verdict is Verdict.APPLY:
            self.applied.append(seq)

    @precondition(lambda self: self.network)
    @rule(place=st.integers(0, 100))
    def lose(self, place: int) -> None:
        self.network.pop(place % len(self.network))

    @rule()
    def broker_forgets_everything(self) -> None:
        self.network.clear()

    @rule()
    def hear_committed_and_send_again(self) -> None:
        self.known = self.mark.committed
        self.following = self.known + 1

    @rule(seconds=st.floats(0.1, 2))
    def wait(self, seconds: float) -> None:
        # Less than 90 s in all, so that no hole is given up: that is the next test.
        self.seconds = min(self.seconds + seconds, GAP_S - 1)

    @invariant()
    def each_message_once_and_in_order(self) -> None:
        assert self.applied == list(range(1, len(self.applied) + 1))
        assert self.mark.committed == len(self.applied)

    def teardown(self) -> None:
        """When the way is good again, everything arrives."""
        for seq in range(self.mark.committed + 1, self.made + 1):
            verdict, self.mark = judge(self.mark, seq, later(self.seconds), GAP_S)
            assert verdict is Verdict.APPLY
        assert self.mark.committed == self.made


TestGoBackN = GoBackN.TestCase
TestGoBackN.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)


def test_what_is_given_up_is_exactly_what_did_not_come() -> None:
    mark, applied, given_up = Mark(), [], []
    for seconds, seq in [(0, 1), (1, 4), (50, 5), (92, 4), (93, 5), (94, 2)]:
        before = mark
        verdict, mark = judge(mark, seq, later(seconds), GAP_S)
        if verdict is Verdict.ACCEPT_GAP:
            given_up.append((before.committed + 1, seq - 1))
        if verdict in (Verdict.APPLY, Verdict.ACCEPT_GAP):
            applied.append(seq)
    assert applied == [1, 4, 5]
    assert given_up == [(2, 3)]
