"""The audit log in words: no action is without them."""

from __future__ import annotations

import re

import pytest

from mailbox_service.core.audit_words import ACTIONS, ACTORS, account_actor, action_words
from mailbox_service.web.admin import actions, sending_api
from tests.programs import ROOT

# Where commands write into the log, the action stands between quotes.
NOTED = re.compile(r'note\(\s*(?:parts,\s*)?"([a-z]+\.[a-z_]+)"')


def noted_in_source() -> set[str]:
    texts = [path.read_text("utf-8") for path in (ROOT / "mailbox_service").rglob("*.py")]
    return {action for text in texts for action in NOTED.findall(text)}


def test_every_action_has_words_and_no_words_are_left_over() -> None:
    noted = noted_in_source()
    assert {"login.failed", "queue.drop", "import.mail"} <= noted
    of_routes = {*filter(None, actions.ACTIONS.values()), *sending_api.ACTIONS.values()}
    assert set(ACTIONS.names) == noted | of_routes


def test_an_action_without_words_is_none() -> None:
    assert action_words("POST /admin/new") is None


@pytest.mark.parametrize(
    ("actor", "code", "values"),
    [
        ("admin password", "actor.password", {}),
        ("command line", "actor.command-line", {}),
        (account_actor(3, "a@b.example"), "actor.account", {"id": "3", "email": "a@b.example"}),
    ],
)
def test_who_did_it_is_told_with_a_code(actor: str, code: str, values: dict[str, str]) -> None:
    told = ACTORS.recognise(actor)
    assert told is not None
    assert (str(told), told.code, told.values) == (actor, code, values)
