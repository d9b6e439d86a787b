"""What is sent next, and what is sent again."""

from firmware_bridge.window import LATE_AFTER_S, Window


def send(window: Window, upto: int, age_s: float = 0.0) -> list[tuple[int, bool]]:
    """Send as the publisher does: in order, while there is room, up to the last stored number."""
    out = []
    while window.room() and window.next_seq <= upto:
        seq = window.next_seq
        out.append((seq, window.sent(seq, age_s)))
    return out


def fresh(size: int = 10) -> Window:
    window = Window(size, resend_after_s=30.0)
    connect(window, 0.0, 0)
    return window


def connect(window: Window, now: float, last_seq: int) -> None:
    """A connection begins and the server's retained presence arrives."""
    window.connected(now, last_seq)
    window.server_said(True, now)


def test_no_more_than_the_window_is_on_its_way() -> None:
    window = fresh(size=3)
    assert [seq for seq, _ in send(window, 10)] == [1, 2, 3]
    window.server_has(2, 1.0)
    assert [seq for seq, _ in send(window, 10)] == [4, 5]


def test_nothing_is_sent_to_a_server_that_nobody_has_seen() -> None:
    window = fresh()
    window.connected(1.0, 0)
    assert send(window, 5) == []
    window.server_said(True, 2.0)
    assert [seq for seq, _ in send(window, 5)] == [1, 2, 3, 4, 5]


def test_nothing_is_sent_while_the_server_is_away_and_all_again_when_it_is_back() -> None:
    window = fresh()
    send(window, 3)
    window.server_said(False, 1.0)
    assert send(window, 5) == []
    assert not window.check(1000.0)
    window.server_said(True, 1001.0)
    assert [seq for seq, _ in send(window, 5)] == [1, 2, 3, 4, 5]


def test_a_connection_begins_with_the_first_unconfirmed_message() -> None:
    window = fresh()
    send(window, 5)
    window.server_has(2, 1.0)
    connect(window, 2.0, 5)
    assert [seq for seq, _ in send(window, 5)] == [3, 4, 5]


def test_without_progress_it_sends_again_ever_more_patiently() -> None:
    window = fresh()
    send(window, 3)
    assert not window.check(29.0)
    assert window.check(30.0)
    assert [seq for seq, _ in send(window, 3)] == [1, 2, 3]
    assert not window.check(60.0)
    assert window.check(91.0)


def test_progress_calms_it() -> None:
    window = fresh()
    send(window, 3)
    window.server_has(1, 29.0)
    assert not window.check(58.0)


def test_with_nothing_on_its_way_there_is_nothing_to_wait_for() -> None:
    window = fresh()
    assert not window.check(1000.0)
    send(window, 1)
    assert not window.check(1020.0)


def test_a_smaller_confirmation_is_believed_when_it_stays_the_last_word() -> None:
    window = fresh()
    send(window, 5)
    window.server_has(5, 1.0)
    window.server_has(3, 2.0)
    window.server_has(5, 2.1)
    assert not window.check(4.0)
    send(window, 6)
    window.server_has(3, 5.0)
    assert window.check(6.1)
    assert window.next_seq == 6


def test_old_messages_and_those_made_without_a_line_are_history() -> None:
    window = Window(10, resend_after_s=30.0)
    connect(window, 0.0, 2)
    assert send(window, 3) == [(1, True), (2, True), (3, False)]
    assert send(window, 4, age_s=LATE_AFTER_S + 1) == [(4, True)]


def test_the_first_sending_decides_what_is_history() -> None:
    window = fresh()
    assert send(window, 1) == [(1, False)]
    window.go_back(100.0)
    assert send(window, 1, age_s=100.0) == [(1, False)]


def test_a_message_is_not_flagged_late_for_a_line_lost_after_its_first_sending() -> None:
    window = fresh()
    send(window, 1)
    connect(window, 5.0, 2)
    assert send(window, 2) == [(1, False), (2, True)]
