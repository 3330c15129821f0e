"""Fixtures of the HTTP doors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from tests.web.site import Site, running_site

SiteWith = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A site where owners may do everything."""
    async with running_site(tmp_path) as running:
        yield running


@pytest.fixture
def site_with(tmp_path: Path) -> SiteWith:
    """Makes a site with other settings: `async with site_with(passwords=["x"]) as site`."""
    return partial(running_site, tmp_path)
