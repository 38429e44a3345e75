"""What a request carries, as far as it may be long."""

from starlette.requests import Request


async def body_of(request: Request, max_bytes: int) -> bytes | None:
    """Return a request's body; None is that it holds more than `max_bytes`."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            return None
    return body
