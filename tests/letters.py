"""Letters that several suites send."""

from __future__ import annotations

from email.message import EmailMessage


def letter_with_files() -> bytes:
    """Text and HTML with a picture of the web, a PDF, and a file of type HTML whose name climbs."""
    message = EmailMessage()
    message["From"] = "Zoë <zoe@far.example>"
    message["To"] = "ann@inbox.test"
    message["Cc"] = "bob@far.example"
    message["Reply-To"] = "answers@far.example"
    message["In-Reply-To"] = "<before@far.example>"
    message["References"] = "<first@far.example> <before@far.example>"
    message["Subject"] = "Büro"
    message["Message-ID"] = "<files@far.example>"
    message.set_content("Grüße\n")
    message.add_alternative("<p>Grüße <img src='https://track.example/x.png'></p>", subtype="html")
    message.add_attachment(
        b"\x00\x01\xff", maintype="application", subtype="pdf", filename="Rechnung Mai.pdf"
    )
    message.add_attachment("<script>alert(1)</script>", subtype="html", filename="../../evil.html")
    return bytes(message).replace(b"\n", b"\r\n")
