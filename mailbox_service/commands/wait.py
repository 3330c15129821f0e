"""`mailbox wait`: the next mail of an address, for scripts and tests."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import click

from mailbox_service.assembly import Parts
from mailbox_service.commands.common import fail, loaded, with_configuration
from mailbox_service.commands.store import run
from mailbox_service.core.parsing import parse
from mailbox_service.core.stored import Excerpt, Filters, StoredMessage
from mailbox_service.core.transfer import as_address
from mailbox_service.services.clock import as_datetime
from mailbox_service.storage import messages

# The service is another process, so nothing wakes this one.
LOOK_SECONDS = 0.2
LONGEST_WAIT = 86_400.0


@click.command()
@click.argument("address")
@click.option(
    "--timeout",
    type=click.FloatRange(0, LONGEST_WAIT),
    default=60.0,
    show_default=True,
    help="Seconds.",
)
@click.option(
    "--after-id", type=int, help="Behind this mail. Default: mail that comes from now on."
)
@click.option("--from", "sender", default="", help="Part of the sender.")
@click.option("--subject", default="", help="Part of the subject.")
@with_configuration
def wait(
    address: str,
    timeout: float,
    after_id: int | None,
    sender: str,
    subject: str,
    config_file: Path | None,
    data: Path | None,
) -> None:
    """Wait for a mail to ADDRESS; prints one line of JSON with its codes, links and text.

    Exits with 1 when none came in time.
    """
    box = as_address(address)
    wanted = Filters(sender=sender, subject=subject)

    async def work(parts: Parts) -> tuple[StoredMessage, bytes] | None:
        deadline = time.monotonic() + timeout
        last = after_id
        if last is None:
            last = await parts.database.read(messages.newest_id)
        while True:
            page = await parts.reading.page(
                box, Excerpt(1, after_id=last, filters=wanted), counted=False
            )
            if page.messages:
                return await parts.reading.content(box, page.messages[0].id)
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            await asyncio.sleep(min(left, LOOK_SECONDS))

    found = run(work, loaded(config_file, data, make=False).config)
    if found is None:
        fail(f"no mail for {box} within {timeout:g} seconds")
    click.echo(json.dumps(as_object(*found), ensure_ascii=False))


def as_object(message: StoredMessage, content: bytes) -> dict[str, object]:
    """A mail as scripts want it."""
    summary = message.summary
    assert summary is not None  # whoever reads the content makes one
    return {
        "id": message.id,
        "from": summary.from_address,
        "subject": summary.subject,
        "received_at": as_datetime(message.received_at).isoformat(),
        "code": summary.codes[0] if summary.codes else None,
        "codes": list(summary.codes),
        "links": [link["url"] for link in summary.links],
        "text": parse(content).text,
    }
