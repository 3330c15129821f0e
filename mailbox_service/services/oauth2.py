"""Sign-in at a provider: where to go, and who came back (mailbox-api §3.5; RFC 6749 §4.1)."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Any

from mailbox_service.config import Config
from mailbox_service.core import oauth2 as rules
from mailbox_service.core.errors import BadRequest, TooManyRequests
from mailbox_service.core.oauth2 import Provider
from mailbox_service.core.webhook import HttpAnswer
from mailbox_service.services.accounts import Accounts
from mailbox_service.services.administering import Administering
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.webhooks import Poster
from mailbox_service.storage import sign_in_marks
from mailbox_service.storage.database import Database

log = logging.getLogger("mailbox.oauth2")

# How long a person may take at the provider.
STATE_MICROS = 10 * 60 * 1_000_000
# States that wait, of everybody together; a row has a hundred octets.
MOST_STATES = 50_000
# Callbacks at work at once. Each may wait twenty seconds for a provider, and anybody may make one.
MOST_AT_ONCE = 32
# A profile with everything that a provider knows. Larger ones are cut, and are then no JSON.
PROFILE_OCTETS = 65_536


class OAuth2:
    """Sends people to providers, and opens accounts for those who come back."""

    def __init__(
        self,
        database: Database,
        config: Config,
        administering: Administering,
        accounts: Accounts,
        client: Poster,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._needs_state = config.oauth2_require_state
        self._administering = administering
        self._accounts = accounts
        self._client = client
        self._clock = clock
        self._at_work = 0

    @property
    def providers(self) -> tuple[Provider, ...]:
        """The providers that people may choose from."""
        return self._administering.rules.oauth2_providers

    async def settings(self) -> list[Any]:
        """The providers as they were posted."""
        stored = await self._administering.stored("oauth2_settings")
        return stored if isinstance(stored, list) else []

    async def change_settings(self, value: Any) -> None:
        """Set the providers. Raises BadRequest, and TypeError for what is no list of them."""
        await self._administering.change({"oauth2_settings": rules.check_providers(value)})

    async def login_url(self, client_id: str, state: str) -> str:
        """Where a person goes; the state is good for one way back. Raises BadRequest."""
        provider = rules.provider_named(self.providers, client_id)
        if len(state) > rules.LONGEST_STATE:
            raise BadRequest("The state is too long")
        url = rules.login_url(provider, state)
        if state:
            now = self._clock()
            await self._database.write(
                sign_in_marks.put,
                state_mark(client_id, state),
                ends_at=now + STATE_MICROS,
                now=now,
                most=MOST_STATES,
            )
        return url

    async def callback(self, client_id: str, code: str, state: str | None) -> str:
        """A user token for whoever a provider says has come back.

        A state that is told must be one that was given out for this provider, and is used up;
        the configuration says whether one must be told. Raises BadRequest with the contract's
        reasons, TooManyRequests, and what `Accounts.ensure` raises.
        """
        if not client_id or not code:
            key = "Oauth2CliendIDOrCodeMissingMsg"
            raise rules.refusal(key)
        provider = rules.provider_named(self.providers, client_id)
        if state is not None or self._needs_state:
            await self._use_state(client_id, state or "")
        if self._at_work >= MOST_AT_ONCE:
            raise TooManyRequests("Too many sign-ins at once. Try again soon.", retry_after=10.0)
        self._at_work += 1
        try:
            profile = await self._profile(provider, code)
        finally:
            self._at_work -= 1
        email = rules.address_in(provider, profile)
        account = await self._accounts.ensure(
            email, source="oauth2", user_info=json.dumps(profile, ensure_ascii=False)
        )
        return self._accounts.token_for(account)

    async def _use_state(self, client_id: str, state: str) -> None:
        mark = state_mark(client_id, state)
        taken = bool(state) and await self._database.write(
            sign_in_marks.take, mark, now=self._clock()
        )
        if not taken:
            raise BadRequest("The sign-in took too long, or was ended before. Begin it again.")

    async def _profile(self, provider: Provider, code: str) -> Any:
        answer = await self._client.post(rules.token_request(provider, code))
        if not answer.is_success:
            raise failed(provider, answer, "Oauth2FailedGetAccessTokenMsg")
        token = rules.read_token(answer.head)
        answer = await self._client.post(rules.profile_request(provider, token))
        if not answer.is_success:
            raise failed(provider, answer, "Oauth2FailedGetUserInfoMsg")
        return rules.read_profile(answer.head)


def state_mark(client_id: str, state: str) -> str:
    """By what a state is known in the store."""
    told = json.dumps(["oauth2", client_id, state])
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def failed(provider: Provider, answer: HttpAnswer, key: str) -> BadRequest:
    """The refusal; what the provider said is for the log, and only its status: its words may
    quote the secret."""
    why = answer.reason if not answer.status else ""
    log.warning("oauth2-failed provider=%r status=%d %s", provider.name, answer.status, why)
    return rules.refusal(key)
