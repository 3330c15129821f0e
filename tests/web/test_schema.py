"""Generated requests against the real server: no answer breaks the document (fuzz, hazard 36)."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks

from tests.web.site import ADMIN, running_site, serving

# Enough to meet every parameter of every route, and quick; longer runs are for a fuzz target.
EXAMPLES = 4


@dataclass(frozen=True)
class Target:
    """Where the service is, and credentials for all of it."""

    url: str
    headers: dict[str, str]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A served site in a thread of its own, since the generator is not asynchronous."""
    folder = tmp_path_factory.mktemp("site")
    ready, stop, found = threading.Event(), threading.Event(), []

    async def serve() -> None:
        async with running_site(folder) as site, serving(site) as (host, port):
            ann = await site.open()
            await site.arrive()
            found.append(Target(f"http://{host}:{port}", {**ann.auth, **ADMIN}))
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    yield found[0]
    stop.set()
    thread.join()


def operations() -> list[tuple[str, str]]:
    """Every operation but those that wait, and those that close the address in use."""
    file = Path(__file__).parents[2] / "docs" / "api" / "openapi.json"
    paths = json.loads(file.read_text())["paths"]
    left_out = {"/api/events", "/api/mails/wait", "/api/delete_address"}
    return [
        (path, method)
        for path, methods in paths.items()
        for method in methods
        if path not in left_out
    ]


@pytest.fixture(scope="module")
def schema(target: Target) -> Any:
    """The document as the service serves it."""
    return schemathesis.openapi.from_url(f"{target.url}/openapi.json")


@pytest.mark.parametrize(("path", "method"), operations())
def test_generated_requests_are_answered_as_documented(
    target: Target, schema: Any, path: str, method: str
) -> None:
    (area,) = schema[path][method.upper()].tags
    # The token of a mailbox would stand where a key of the sending API is looked for.
    headers = ADMIN if area == "integration" else target.headers

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path][method.upper()].as_strategy())
    def judge(case: schemathesis.Case[Any]) -> None:
        answer = case.call(headers=headers)
        assert answer.content != b"Error Internal Server Error", case.as_curl_command()
        case.validate_response(
            answer,
            checks=[checks.response_schema_conformance, checks.content_type_conformance],
        )

    judge()
