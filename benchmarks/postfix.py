"""A private Postfix: its own configuration, queue and data, on loopback, without chroot.

Every message goes on hold: it is accepted, written and synced to the queue, and that is all.
Postfix keeps its shipped settings otherwise, and writes its ordinary log into a file of its own.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Tree, Unavailable, find, started
from tests.journeys.running import free_ports

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_spool_directory = {folder}/queue
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
myhostname = postfix.x.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
alias_database =
relayhost = {relay_host}
smtpd_client_restrictions = check_client_access static:HOLD
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = none
smtp_tls_security_level = none
smtp_address_preference = ipv4
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    """A running instance."""

    port: int
    tree: Tree
    folder: Path

    def held(self) -> int:
        """How many messages are on hold."""
        return sum(len(names) for _, _, names in os.walk(self.folder / "queue" / "hold"))

    def release(self) -> None:
        """Let everything on hold go its way at once."""
        run("postsuper", "-c", self.folder / "etc", "-H", "ALL")
        run("postqueue", "-c", self.folder / "etc", "-f")


def run(program: str, *arguments: str | Path) -> str:
    """Run one of Postfix's commands to its end."""
    done = subprocess.run(
        [find(program), *map(str, arguments)], capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        raise RuntimeError(f"{program}: {done.stderr.strip()}")
    return done.stdout.strip()


def version() -> str:
    """`Postfix 3.7.11`."""
    return f"Postfix {run('postconf', '-dh', 'mail_version')}"


@contextlib.contextmanager
def postfix(folder: Path, *, relay_port: int | None = None) -> Iterator[Postfix]:
    """Run a Postfix that holds everything; with a port, its next hop when mail is released.

    Raises Unavailable where there is none, or where it cannot be started: it begins as root.
    """
    daemons = Path(run("postconf", "-dh", "daemon_directory"))
    if os.geteuid() != 0:
        raise Unavailable("Postfix can be started by root alone")
    (port,) = free_ports(1)
    folder.mkdir(mode=0o755)
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir(mode=0o755)
    try:
        user = pwd.getpwnam("postfix")
        grp.getgrnam("postdrop")
    except KeyError:
        raise Unavailable("Postfix is installed without its users") from None
    os.chown(folder / "data", user.pw_uid, user.pw_gid)
    relay_host = "" if relay_port is None else f"[127.0.0.1]:{relay_port}"
    main = MAIN_CF.format(folder=folder, relay_host=relay_host)
    (folder / "etc" / "main.cf").write_text(main.lstrip())
    (folder / "etc" / "master.cf").write_text(MASTER_CF.format(port=port).lstrip())
    run("postfix", "-c", folder / "etc", "check")
    master: tuple[str | Path, ...] = (daemons / "master", "-c", folder / "etc")
    with started(master, folder / "master.log", port=port) as tree:
        yield Postfix(port, tree, folder)


def delivered(log: Path) -> int:
    """How many messages a log says were handed to the next hop."""
    return len(re.findall(r" status=sent ", log.read_text(errors="replace")))
