"""Several mails at once, over one connection, while the caller waits (sending-api §12.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailbox_service.core.errors import MailError, MessageTooBig
from mailbox_service.core.own_server import Connection, ServerProblem
from mailbox_service.services.own_servers.connections import Asked, Connections, Session
from mailbox_service.services.own_servers.mails import Mail, Writer

MOST_AT_ONCE = 50
# A client waits for the answer of `/send-emails`, and proxies end requests after some minutes.
BATCH_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one mail of several."""

    to: tuple[str, ...]
    status: str
    response: str = ""
    rejected: Mapping[str, str] | None = None
    error: str = ""
    error_code: str = ""
    smtp_code: int = 0
    said: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of several mails; how many connections that took, in milliseconds how long."""

    results: tuple[Result, ...]
    connections: int
    duration_ms: int


class Together:
    """Sends several mails over one connection."""

    def __init__(self, connections: Connections, writer: Writer) -> None:
        self._connections = connections
        self._writer = writer

    async def send(self, asked: Asked, mails: Sequence[Mail | MailError]) -> Batch:
        """Send mails over one connection, and say what became of each. A mail that could not be
        read comes as what was wrong with it, and fails alone."""
        started = asyncio.get_running_loop().time()
        await self._connections.must_exist(asked.account, asked.connection)
        run = Run(self._connections, self._writer, asked, mails)
        try:
            async with asyncio.timeout(BATCH_SECONDS):
                await run.work()
        except TimeoutError:
            run.give_up(ServerProblem("timeout"))
        except ServerProblem as problem:
            run.give_up(problem)
        finally:
            await run.leave()
        lasted = asyncio.get_running_loop().time() - started
        return Batch(run.finished(), run.connections, round(lasted * 1_000))


class Run:
    """Several mails on their way over one connection, and one more when that is dropped."""

    def __init__(
        self,
        connections: Connections,
        writer: Writer,
        asked: Asked,
        mails: Sequence[Mail | MailError],
    ) -> None:
        self._connections = connections
        self._writer = writer
        self._asked = asked
        self._mails = mails
        self._results: list[Result | None] = [None] * len(mails)
        self._session: Session | None = None
        self.connections = 0

    async def work(self) -> None:
        """Send them one after another. Raises ServerProblem when there is no connection."""
        connection: Connection | None = None
        password = ""
        for index, mail in enumerate(self._mails):
            if isinstance(mail, MailError):
                self._results[index] = Result((), "failed", "", None, mail.detail, code_of(mail))
                continue
            if connection is None:
                connection, password = await self._connections.of(
                    self._asked.account, self._asked.connection
                )
            try:
                sender, content = self._writer.written(connection, mail)
            except MailError as error:
                self._results[index] = Result(
                    mail.recipients, "failed", "", None, error.detail, code_of(error)
                )
                continue
            self._results[index] = await self._one(connection, password, mail, sender, content)

    async def _one(
        self, connection: Connection, password: str, mail: Mail, sender: str, content: bytes
    ) -> Result:
        while True:
            if self._session is None or not self._session.usable:
                # Twice in all: a server that drops us again does not want this mail.
                if self.connections >= 2:
                    raise ServerProblem("disconnected")
                self.connections += 1
                self._session = await self._connections.servers.open(connection, password)
            try:
                taken = await self._session.send(sender, mail.recipients, content)
            except ServerProblem as problem:
                dropped = not self._session.usable and not problem.begun
                if dropped and problem.code != "timeout" and self.connections < 2:
                    continue
                return failed(mail.recipients, problem)
            status = "partial" if taken.rejected else "sent"
            return Result(mail.recipients, status, taken.response, taken.rejected or None)

    def give_up(self, problem: ServerProblem) -> None:
        """What was not tried fails for the same reason."""
        for index, mail in enumerate(self._mails):
            if self._results[index] is None and isinstance(mail, Mail):
                self._results[index] = failed(mail.recipients, problem)
            elif self._results[index] is None and isinstance(mail, MailError):
                self._results[index] = Result((), "failed", "", None, mail.detail, code_of(mail))

    async def leave(self) -> None:
        """Take leave of the server."""
        if self._session is not None and self._session.usable:
            await self._session.quit()

    def finished(self) -> tuple[Result, ...]:
        """What became of each."""
        return tuple(one for one in self._results if one is not None)


def failed(to: tuple[str, ...], problem: ServerProblem) -> Result:
    return Result(
        to,
        "failed",
        error=str(problem),
        error_code=problem.code,
        smtp_code=problem.smtp_code,
        said=problem.said,
        rejected=problem.rejected or None,
    )


def code_of(error: MailError) -> str:
    """A name for programs of what was wrong with a mail."""
    return "message_too_big" if isinstance(error, MessageTooBig) else "invalid_mail"
