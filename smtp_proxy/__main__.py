"""`smtp-proxy --service URL`: the submission door alone, in front of a service elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import sys
from dataclasses import replace

import click

from smtp_proxy.limits import Limits
from smtp_proxy.remote import RECIPIENTS, RemoteService
from smtp_proxy.submission import SubmissionDoor

# How long running transactions have after SIGTERM; service managers kill after 90 s.
GRACE = 30.0


def _host_and_port(
    context: click.Context, parameter: click.Parameter, value: str
) -> tuple[str, int]:
    host, colon, port = value.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65_535:
        raise click.BadParameter("write it as host:port")
    return host.strip("[]"), int(port)


@click.command()
@click.option(
    "--service", required=True, metavar="URL", help="The service, as https://host[:port]."
)
@click.option(
    "--listen", default="127.0.0.1:8025", show_default=True, metavar="HOST:PORT",
    callback=_host_and_port, help="Where mail programs connect.",
)  # fmt: skip
@click.option("--tls-cert", type=click.Path(exists=True, dir_okay=False), help="PEM, for STARTTLS.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="PEM, its key.")
@click.option("--implicit-tls", is_flag=True, help="TLS from the first octet, as on port 465.")
@click.option("--hostname", default=socket.gethostname, help="The name to greet with.")
@click.option(
    "--max-message-size", default=Limits().message_size, show_default=True,
    type=click.IntRange(min=1024), metavar="OCTETS",
)  # fmt: skip
def main(
    service: str,
    listen: tuple[str, int],
    tls_cert: str | None,
    tls_key: str | None,
    implicit_tls: bool,
    hostname: str,
    max_message_size: int,
) -> None:
    """Take mail by SMTP submission and hand it to a mailbox service over HTTP.

    Log in with any user name and an address token or an API key as password, with an address
    and its password, or as an SMTP user. With a certificate, credentials are taken over TLS only.
    """
    if not service.startswith(("http://", "https://")):
        raise click.BadParameter("must begin with https:// or http://", param_hint="--service")
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key belong together")
    if implicit_tls and tls_cert is None:
        raise click.UsageError("--implicit-tls needs --tls-cert and --tls-key")
    tls = None
    if tls_cert is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(tls_cert, tls_key)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    for chatty in ("httpx", "httpx2", "httpcore", "mail.log", "mail.debug"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    limits = replace(Limits(), message_size=max_message_size, recipients=RECIPIENTS)
    try:
        asyncio.run(_serve(service, listen, hostname, limits, tls, implicit_tls=implicit_tls))
    except OSError as error:
        raise click.ClickException(f"cannot listen on {listen[0]}:{listen[1]}: {error}") from error


async def _serve(
    service: str,
    listen: tuple[str, int],
    hostname: str,
    limits: Limits,
    tls: ssl.SSLContext | None,
    *,
    implicit_tls: bool,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, stop.set)
    backend = RemoteService(service)
    door = SubmissionDoor(
        backend, hostname=hostname, limits=limits, tls=tls, require_tls_for_auth=tls is not None
    )
    try:
        await door.start(*listen, implicit_tls=implicit_tls)
        host, port = door.address
        click.echo(f"listening on {host}:{port}, handing mail to {service}")
        await stop.wait()
    finally:
        await door.close(GRACE)
        await backend.close()


if __name__ == "__main__":
    main()
