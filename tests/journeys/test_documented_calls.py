"""Commands that pages print are run as they are printed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.journeys.running import running

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = DOCS / "sending-api.md"
# Nothing was posted to a webhook, so there is nothing to look at.
EXPECTED = "There is no such delivery"


def test_commands_of_the_page_do_what_it_says(tmp_path: Path) -> None:
    for service in running(tmp_path, domains=["example.com"]):
        made = service.command("apikey", "new")
        key = json.loads(made.stdout)["api_key"]
        program = shlex.join([sys.executable, "-m", "mailbox_service"])
        config = shlex.quote(str(service.config_file))
        blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
        assert len(blocks) > 15
        script = f'mailbox() {{ {program} "$@" --config {config}; }}\n' + "\n".join(blocks)
        script = script.replace("KEY=api-…", f"KEY={key}")
        script = script.replace("http://127.0.0.1:8787", service.url)
        # Each answer on a line of its own.
        script = script.replace('-d "$2"; }', '-d "$2"; echo; }')
        done = subprocess.run(
            ["bash", "-euc", script],
            capture_output=True,
            text=True,
            timeout=240,
            env=service.environment(),
            cwd=PAGE.parent.parent,
        )
        assert done.returncode == 0, done.stderr
        answers = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
        assert len(answers) > 35
        for answer in answers:
            data = answer.get("data")
            if isinstance(data, dict) and data.get("error") != EXPECTED:
                assert "error" not in data, answer


def test_a_mail_comes_as_the_page_for_newcomers_says(tmp_path: Path) -> None:
    for service in running(tmp_path):
        blocks = re.findall(r"```sh\n(.*?)```", (DOCS / "coming-from.md").read_text(), re.DOTALL)
        script = "\n".join(blocks).replace("http://127.0.0.1:8787", service.url)
        script = script.replace("127.0.0.1:2525", f"127.0.0.1:{service.reception_port}")
        done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert "481516" in done.stdout[done.stdout.index('"mail"') :]
