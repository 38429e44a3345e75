import http.client
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from db.types import JobStatus, Opinion, Role
from review.access import accounts, sessions
from review.processes import figures
from tests import builders
from tests.builders import OPERATOR
from tests.server import Server, running
from ui.http.observed import HEADER

TOKEN = "a token of the monitoring's own"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {figures.TOKEN_VARIABLE: TOKEN}
    with running(tmp_path_factory.mktemp("home"), **environment) as started:
        yield started


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("home")) as started:
        yield started


def ask(server: Server, path: str = "/metrics", **headers: str):
    connection = http.client.HTTPConnection(server.netloc, timeout=10)
    connection.request("GET", path, headers={n.replace("_", "-"): v for n, v in headers.items()})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response, text


def samples(server: Server) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    response, text = ask(server, Authorization=f"Bearer {TOKEN}")
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("sent", [{}, {"Authorization": "Bearer x"}, {"Authorization": TOKEN}])
def test_the_figures_are_told_to_nobody_without_the_token(server, sent):
    response, text = ask(server, **sent)
    assert response.status == 401
    assert "second_look" not in text


def test_a_session_does_not_do_instead_of_the_token(server):
    admin = accounts.ensure_administrator(server.ws, by=OPERATOR)
    token = sessions.redeem_link(server.ws, accounts.issue_link(server.ws, admin.id, by=OPERATOR))
    assert ask(server, Cookie=f"second_look_session={token}")[0].status == 401


def test_there_are_no_figures_where_the_site_set_no_token(without):
    assert ask(without, Authorization=f"Bearer {TOKEN}")[0].status == 404
    assert ask(without, Authorization="Bearer ")[0].status == 404


def test_the_figures_tell_how_the_site_stands_and_no_name(server):
    with server.ws.begin() as session:
        case, model = builders.case(session), builders.model(session, name="secretmodel")
        prediction = builders.prediction(session, case, model)
        reader = builders.account(session, Role.READER, name="secretname")
        builders.verdict(session, prediction, reader, comment="secretcomment")
        builders.job(session)
        builders.job(session)
    found = samples(server)
    assert found["second_look_verdicts_total", (("opinion", "accept"),)] == 1
    assert found["second_look_jobs", (("state", "queued"),)] == 2
    assert found["second_look_queue_length", ()] == 2
    assert found["second_look_queue_oldest_seconds", ()] > 0
    assert found["second_look_workers", ()] == 0
    assert found["second_look_disk_size_bytes", ()] > found["second_look_disk_free_bytes", ()] > 0
    states = {labels for name, labels in found if name == "second_look_jobs"}
    assert states == {(("state", state.value),) for state in JobStatus}
    opinions = {labels for name, labels in found if name == "second_look_verdicts_total"}
    assert opinions == {(("opinion", opinion.value),) for opinion in Opinion}
    text = ask(server, Authorization=f"Bearer {TOKEN}")[1]
    assert "secret" not in text


def test_verdicts_are_counted_once_each(server):
    name = ("second_look_verdicts_total", (("opinion", "reject"),))
    before = samples(server)[name]
    with server.ws.begin() as session:
        case, model = builders.case(session), builders.model(session)
        prediction, reader = builders.prediction(session, case, model), builders.account(session)
        for _ in range(3):
            builders.verdict(session, prediction, reader, opinion=Opinion.REJECT)
    assert samples(server)[name] == before + 3
    assert samples(server)[name] == before + 3


def test_durations_are_told_by_the_routes_pattern(server):
    ask(server, "/healthz")
    ask(server, "/no-such-page?name=somebody")
    counted = {
        labels for name, labels in samples(server) if name == "second_look_request_seconds_count"
    }
    assert (("method", "GET"), ("route", "/healthz"), ("status", "200")) in counted
    assert (("method", "GET"), ("route", "other"), ("status", "401")) in counted
    assert not any("no-such-page" in str(labels) for labels in counted)


def test_a_request_has_an_id_and_keeps_the_proxys(server):
    assert len(ask(server, "/healthz")[0].headers[HEADER]) == 16
    assert ask(server, "/healthz", X_Request_ID="from-the-proxy-1")[0].headers[HEADER] == (
        "from-the-proxy-1"
    )
    assert ask(server, "/healthz", X_Request_ID='"}{"x":')[0].headers[HEADER] != '"}{"x":'


def test_sessions_and_workers_are_counted(server, tmp_path):
    from review.processes.device_lock import DeviceLock

    locks = server.ws.settings.home / "locks"
    lock = DeviceLock.take(locks, ["cpu"], "a-worker")
    before = samples(server)
    admin = accounts.ensure_administrator(server.ws, by=OPERATOR)
    sessions.redeem_link(server.ws, accounts.issue_link(server.ws, admin.id, by=OPERATOR))
    after = samples(server)
    lock.release()
    assert after["second_look_workers", ()] == 1
    assert after["second_look_sessions", ()] == before["second_look_sessions", ()] + 1
    assert samples(server)["second_look_workers", ()] == 0
