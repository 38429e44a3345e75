import threading

import pytest

from db.errors import StorageError
from db.turns import Turns

PATIENCE_SECONDS = 60.0


def test_turns_come_in_the_order_in_which_they_were_asked_for():
    turns, order = Turns(PATIENCE_SECONDS), []

    def take(number: int) -> None:
        with turns.turn():
            order.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(16)]
    with turns.turn():
        for n_waiting, thread in enumerate(threads, start=1):
            thread.start()
            while len(turns._waiting) < n_waiting:
                pass
    for thread in threads:
        thread.join()
    assert order == list(range(16))


def test_only_one_holds_a_turn():
    turns, n_inside, most = Turns(PATIENCE_SECONDS), 0, 0

    def take() -> None:
        nonlocal n_inside, most
        for _ in range(200):
            with turns.turn():
                n_inside += 1
                most = max(most, n_inside)
                n_inside -= 1

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, n_inside) == (1, 0)


def test_a_turn_that_does_not_come_is_given_up_and_holds_nobody_up():
    turns = Turns(0.01)
    refused = pytest.raises(StorageError, match="busy: nothing was recorded")
    with turns.turn(), refused, turns.turn():
        pass
    with turns.turn():
        pass


def test_an_error_within_a_turn_passes_it_on():
    turns = Turns(0.01)
    with pytest.raises(ZeroDivisionError), turns.turn():
        raise ZeroDivisionError
    with turns.turn():
        pass
