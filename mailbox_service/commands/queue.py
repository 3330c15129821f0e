"""`mailbox queue`: what waits to be sent, and what to do about it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mailbox_service.assembly import Parts
from mailbox_service.commands.common import fail, loaded, with_configuration
from mailbox_service.commands.store import note, run
from mailbox_service.services.clock import as_datetime, now_micros
from mailbox_service.storage import send_queue
from mailbox_service.storage.send_queue import QueueRow

# Rows read in one go, so that a queue of millions is listed without filling the memory.
BATCH = 500


@click.group()
def queue() -> None:
    """List what waits, try it now, or give it up."""


@queue.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_configuration
def list_queue(as_json: bool, config_file: Path | None, data: Path | None) -> None:
    """Every recipient that is not delivered, oldest first, with the reason."""

    async def work(parts: Parts) -> int:
        last, total = 0, 0
        while rows := await parts.database.read(send_queue.list_waiting, limit=BATCH, after=last):
            for row in rows:
                click.echo(json.dumps(as_object(row)) if as_json else as_line(row))
            last, total = rows[-1].recipient.id, total + len(rows)
        return total

    total = run(work, loaded(config_file, data, make=False).config)
    if not as_json:
        click.echo("Nothing waits." if total == 0 else f"Waiting: {total}")


@queue.command()
@click.argument("queue_id", required=False)
@click.option("--all", "everything", is_flag=True, help="All that waits or is held.")
@with_configuration
def retry(
    queue_id: str | None, everything: bool, config_file: Path | None, data: Path | None
) -> None:
    """Try a message now; mail that is held is let go."""
    if (queue_id is None) == (not everything):
        fail("name a queue id, or --all.")

    async def work(parts: Parts) -> int:
        now, total = now_micros(), 0
        if queue_id is not None:
            total = await parts.database.write(send_queue.retry, queue_id, now=now)
        else:
            while changed := await parts.database.write(send_queue.retry_all, now=now, limit=BATCH):
                total += changed
        if total:
            await note(parts, "queue.retry", queue_id or "everything", changed=total)
        return total

    changed = run(work, loaded(config_file, data, make=False).config)
    click.echo(f"{changed} recipients are due now.")
    if changed == 0 and queue_id is not None:
        raise SystemExit(1)


@queue.command()
@click.argument("queue_id")
@click.option("--silent", is_flag=True, help="Do not tell the sender.")
@with_configuration
def drop(queue_id: str, silent: bool, config_file: Path | None, data: Path | None) -> None:
    """Give a message up, with a notice of failure in its sender's mailbox."""

    async def work(parts: Parts) -> int:
        dropped = await parts.tending.drop_message(queue_id, report=not silent)
        if dropped:
            await note(parts, "queue.drop", queue_id, changed=dropped, silent=silent)
        return dropped

    changed = run(work, loaded(config_file, data, make=False).config)
    click.echo(f"{changed} recipients are given up.")
    if changed == 0:
        raise SystemExit(1)


def as_object(row: QueueRow) -> dict[str, object]:
    recipient = row.recipient
    return {
        "queue_id": row.queue_id,
        "sender": row.address,
        "recipient": recipient.recipient,
        "state": recipient.state,
        "attempts": recipient.attempts,
        "updated_at": as_datetime(recipient.updated_at).isoformat(),
        "next_attempt_at": None
        if recipient.next_attempt_at is None
        else as_datetime(recipient.next_attempt_at).isoformat(),
        "last_reply": recipient.last_reply,
    }


def as_line(row: QueueRow) -> str:
    recipient = row.recipient
    since = as_datetime(recipient.updated_at).strftime("%Y-%m-%d %H:%M")
    reason = f"  {recipient.last_reply}" if recipient.last_reply else ""
    return (
        f"{row.queue_id}  {since}  {recipient.state:<9} {row.address or '<>'} -> "
        f"{recipient.recipient}{reason}"
    )
