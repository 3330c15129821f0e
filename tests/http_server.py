"""The HTTP server under the simulators."""

from __future__ import annotations

from http.server import ThreadingHTTPServer


class HttpServer(ThreadingHTTPServer):
    """A thread for each connection. Many may arrive while this process is not let run: those
    beyond Python's line of five would be cut by the kernel, and come back on a later turn."""

    request_queue_size = 128
