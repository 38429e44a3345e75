import logging

from ui.http.bounded_log import MAX_A_MINUTE, BoundedLog


def record(message: str, line: int = 1) -> logging.LogRecord:
    return logging.LogRecord("x", logging.WARNING, "place.py", line, message, (), None)


def test_a_place_is_heard_so_often_and_no_oftener_and_says_what_it_left_out():
    at = 0.0
    log = BoundedLog(lambda: at)
    heard = [log.filter(record(f"invalid {n}")) for n in range(MAX_A_MINUTE + 1234)]
    assert heard.count(True) == MAX_A_MINUTE
    at = 60.0
    again = record("invalid")
    assert log.filter(again)
    assert again.getMessage() == "invalid (and 1,234 like it before)"


def test_another_place_is_heard_meanwhile():
    log = BoundedLog(lambda: 0.0)
    for _ in range(MAX_A_MINUTE + 1):
        log.filter(record("invalid"))
    assert not log.filter(record("invalid"))
    assert log.filter(record("something else", line=2))
