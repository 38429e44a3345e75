"""Stopping in a stated time: pages are told, requests end, a worker ends its chunk."""

import gc

import uvicorn

from review.processes.serving import STOP_SECONDS

REQUEST_SECONDS = 8.0
# What an init system or a container engine has to wait before it kills.
LONGEST_SECONDS = REQUEST_SECONDS + STOP_SECONDS + 2.0


def bound() -> None:
    """Give requests that are being answered when the server is asked to stop a limited time.

    uvicorn closes the pages' connections with 1012, "service restart", and waits for requests
    without a limit unless it has one; Streamlit makes its configuration and sets none.
    """
    for server in gc.get_objects():
        if type(server) is uvicorn.Server:
            server.config.timeout_graceful_shutdown = int(REQUEST_SECONDS)
