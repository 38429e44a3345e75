"""The site's figures for Prometheus, for whoever has the token; durations of requests."""

import hmac
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from review.processes import figures
from review.processes.figures import VerdictCounter
from ui.workspace import workspace

PREFIX = "second_look"


class _Site(Collector):
    """Asks the database each time that the figures are asked for."""

    def __init__(self) -> None:
        self._counter = VerdictCounter()

    def collect(self) -> Iterator[Metric]:
        """Yield each figure with its meaning."""
        found = figures.gather(workspace(), self._counter)
        jobs = GaugeMetricFamily(f"{PREFIX}_jobs", "Jobs by state", labels=["state"])
        for state, n in found.jobs.items():
            jobs.add_metric([state], n)
        yield jobs
        verdicts = CounterMetricFamily(
            f"{PREFIX}_verdicts", "Verdicts signed, superseded ones too", labels=["opinion"]
        )
        for opinion, n in found.verdicts.items():
            verdicts.add_metric([opinion], n)
        yield verdicts
        for name, words, value in (
            ("queue_length", "Jobs that wait", found.jobs["queued"]),
            ("queue_oldest_seconds", "How long the oldest job waits", found.oldest_waiting_s),
            ("sessions", "Browsers signed in and not idle", found.n_sessions),
            ("workers", "Workers that hold a device on this machine", found.n_workers),
            ("disk_free_bytes", "Room on the home's disk", found.disk_free_bytes),
            ("disk_size_bytes", "Size of the home's disk", found.disk_bytes),
        ):
            yield GaugeMetricFamily(f"{PREFIX}_{name}", words, value=value)


REGISTRY = CollectorRegistry()
REGISTRY.register(_Site())
DURATIONS = Histogram(
    f"{PREFIX}_request_seconds",
    "How long requests took, by the route's pattern",
    labelnames=("method", "route", "status"),
    registry=REGISTRY,
)
CONNECTIONS = Gauge(f"{PREFIX}_connections", "Pages open in browsers", registry=REGISTRY)


async def metrics(request: Request) -> Response:
    """Serve the figures to whoever has the token; where the site set none, there are none."""
    token = figures.token()
    if token is None:
        return PlainTextResponse("Not Found", 404)
    sent = request.headers.get("authorization", "")
    if not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
        return PlainTextResponse("A token is needed.", 401, {"WWW-Authenticate": "Bearer"})
    text = await run_in_threadpool(generate_latest, REGISTRY)
    return Response(text, media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})


ROUTES = [Route("/metrics", metrics, methods=["GET"])]
