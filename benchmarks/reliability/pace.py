"""How long a save takes, over HTTP, as a browser waits for it."""

import http.client
import json
import random
import threading
import time
from collections.abc import Iterator, Sequence

from benchmarks.reliability.ledger import Ledger, compare
from benchmarks.reliability.room import KINDS, Room, Row, Shown, Site, times
from tests.server import Server, running
from ui.http.cookies import SESSION_COOKIE

N_CASES = 20
EVERY_SECONDS = 10.0
WARM_SECONDS = 10.0
N_FLAT_OUT = 16


def rows(room: Room) -> Iterator[Row]:
    """Yield rows for each kind of database: sessions that read between saves, and flat out."""
    for kind in KINDS:
        site, n = room.site(kind), room.scale.n_sessions
        readers = site.fill(N_CASES, n + N_FLAT_OUT)
        ledgers, tokens = room.ledgers(len(readers)), site.signed_in(readers)
        clients = [
            _Client(site, Ledger(path), reader, token)
            for path, reader, token in zip(ledgers, readers, tokens, strict=True)
        ]
        with running(site.home, database=site.address) as server:
            _save(server, clients, WARM_SECONDS, WARM_SECONDS, room.draw)
            for client in clients:
                client.ledger.seconds.clear()  # a server that has just started is still loading
            for sessions, every, words in (
                (clients[:n], EVERY_SECONDS, f"{n} sessions, each once in {EVERY_SECONDS:.0f} s"),
                (clients[n:], 0.0, f"{N_FLAT_OUT} sessions without a pause"),
            ):
                _save(server, sessions, room.scale.pace_seconds, every, room.draw)
                saves = [s for client in sessions for s in client.ledger.seconds]
                with site.opened() as ws:
                    found = compare(ws, ledgers)
                n_troubles = sum(client.ledger.n_troubles for client in sessions)
                told = {"database": kind, "who saves": words, "saves": len(saves)}
                told |= times(saves) | {"refused": n_troubles}
                yield told | {name: found[name] for name in ("lost", "doubled", "verify")}


class _Client:
    """One session; it sends as the browser's outbox does."""

    def __init__(self, site: Site, ledger: Ledger, reader_id: int, token: str) -> None:
        self.ledger = ledger
        self._shown, self._reader_id, self._token = site.shown, reader_id, token

    def save(self, server: Server) -> None:
        number = len(self.ledger.sent)
        seen = self._shown[number % len(self._shown)]
        earlier = f"session {self._reader_id}, verdict {number - len(self._shown)}"
        sent = seen.verdict(
            self._reader_id,
            f"session {self._reader_id}, verdict {number}",
            self.ledger.acknowledged.get(earlier),
        )
        self.ledger.send(sent)
        began = time.perf_counter()
        status, reply = self._post(server, seen, sent)
        if status == 200:
            took = time.perf_counter() - began
            self.ledger.acknowledge(sent["comment"], reply["verdict_id"], seconds=took)
        else:
            self.ledger.trouble(str(reply))

    def _post(self, server: Server, seen: Shown, sent: Row) -> tuple[int, Row]:
        action = sent | {
            "kind": "verdict",
            "next_id": None,
            "evidence_token": seen.token,
            "explanation_ids": seen.explanation_ids,
            "reasons": ["wrong_finding"],
        }
        connection = http.client.HTTPConnection(server.netloc, timeout=60)
        headers = {"Origin": server.url, "Cookie": f"{SESSION_COOKIE}={self._token}"}
        connection.request("POST", "/api/verdict", json.dumps(action), headers)
        reply = connection.getresponse()
        told = json.loads(reply.read())
        connection.close()
        return reply.status, told


def _save(
    server: Server, clients: Sequence[_Client], seconds: float, every: float, draw: random.Random
) -> None:
    """Let each client save at random moments, `every` seconds from one to the next on average."""
    end = time.monotonic() + seconds
    seeds = [draw.random() for _ in clients]

    def read(client: _Client, seed: float) -> None:
        own = random.Random(seed)
        while True:
            pause = own.expovariate(1 / every) if every else 0.0
            if time.monotonic() + pause > end:
                return
            time.sleep(pause)
            client.save(server)

    threads = [
        threading.Thread(target=read, args=each) for each in zip(clients, seeds, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
