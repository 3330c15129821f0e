"""A bare Starlette that says hello: what one uvicorn worker can do when there is nothing to do."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.processes import Tree, started
from tests.journeys.running import free_ports


async def say_hello(request: Request) -> JSONResponse:
    """The whole application."""
    return JSONResponse({"hello": "world"})


def main() -> None:
    """Serve on the port of the command line."""
    app = Starlette(routes=[Route("/", say_hello)])
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )


@contextlib.contextmanager
def hello(folder: Path) -> Iterator[tuple[int, Tree]]:
    """Run it; its port and process."""
    (port,) = free_ports(1)
    command = (sys.executable, "-m", "benchmarks.hello", str(port))
    with started(command, folder / "hello.log", port=port) as tree:
        yield port, tree


if __name__ == "__main__":
    main()
