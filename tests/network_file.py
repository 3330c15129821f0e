"""Files of networks as the services for places and owners read them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]


def write_networks(path: Path, networks: Mapping[str, dict[str, Any]], kind: str) -> None:
    """A database in the place of another, as those who fetch them do it."""
    writer = MMDBWriter(6, kind, languages=["en"], ipv4_compatible=True)
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path.with_suffix(".new")))
    os.replace(path.with_suffix(".new"), path)
