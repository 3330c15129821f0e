"""Which names may be opened, by the configuration and by what administrators set."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable

from mailbox_service.config import Config
from mailbox_service.core import opening
from mailbox_service.core.errors import BadRequest, NotYours
from mailbox_service.core.opening import OpeningRules, Role
from mailbox_service.core.overrides import InForce
from mailbox_service.core.policy import effective_subdomain_match
from mailbox_service.core.settings import AddressCreation
from mailbox_service.core.texts import text
from mailbox_service.services.administering import Administering
from mailbox_service.services.clock import random_text
from mailbox_service.services.overruling import Overruling


def for_anybody(rules: OpeningRules) -> tuple[tuple[str, ...], str]:
    """The domains and the prefix of whoever has no role."""
    return opening.allowed_domains(rules), opening.prefix_for(rules)


class Naming:
    """Judges wishes for a name. The rules are made anew when something they are made of changed."""

    def __init__(self, config: Config, administering: Administering) -> None:
        self._config = config
        self._administering = administering
        self._overruling = Overruling(config, administering)
        self._rules_of = (administering.rules.address_creation_settings, self._overruling.now)
        self._rules = self._rules_with(*self._rules_of)
        self._for_anybody = for_anybody(self._rules)

    def rules(self) -> OpeningRules:
        """The rules in force."""
        stored, now = self._administering.rules.address_creation_settings, self._overruling.now
        if self._rules_of[0] is not stored or self._rules_of[1] is not now:
            self._rules_of, self._rules = (stored, now), self._rules_with(stored, now)
            self._for_anybody = for_anybody(self._rules)
        return self._rules

    def _rules_with(self, stored: AddressCreation, now: InForce) -> OpeningRules:
        config = self._config
        return OpeningRules(
            domains=config.served_domains,
            default_domains=tuple(config.default_domains),
            random_subdomain_domains=now.random_subdomain_domains,
            random_subdomain_length=now.random_subdomain_length,
            default_domain_first=config.create_address_default_domain_first,
            prefix=now.prefix,
            address_regex=config.address_regex,
            address_check_regex=config.address_check_regex,
            min_length=now.min_address_len,
            max_length=now.max_address_len,
            subdomain_match=effective_subdomain_match(
                config.enable_create_address_subdomain_match, stored.enable_subdomain_match
            ),
        )

    def by_wish(
        self, name: str, domain: str | None, role: Role | None
    ) -> tuple[Callable[[], str], str, bool]:
        """What makes the local part, the domain, and whether the name is ours to choose. Raises
        BadRequest."""
        rules = self.rules()
        block_list = self._administering.rules.address_block_list
        chosen_by_us = not name or self._config.disable_custom_address_name
        if not chosen_by_us:
            opening.check_not_blocked(name, block_list)
        if role is None:
            allowed, prefix = self._for_anybody
        else:
            allowed = opening.allowed_domains(rules, role)
            prefix = opening.prefix_for(rules, role)

        def local() -> str:
            for _ in range(opening.SUBDOMAIN_TRIES - 1 if chosen_by_us else 0):
                wished = opening.generated_name(rules, random_text)
                with contextlib.suppress(BadRequest):  # blocked by chance: another may not be
                    return opening.local_part(wished, rules, prefix=prefix, block_list=block_list)
            wished = opening.generated_name(rules, random_text) if chosen_by_us else name
            return opening.local_part(wished, rules, prefix=prefix, block_list=block_list)

        if not chosen_by_us:
            local()  # what is wrong with the name is told before what is wrong with the domain
        return local, opening.choose_domain(domain, allowed, rules, secrets.choice), chosen_by_us

    def check_visitors_may_open(self, *, signed_in: bool = False) -> None:
        """Raises NotYours when visitors may not open addresses."""
        nameless = self._config.disable_anonymous_user_create_email and not signed_in
        for refused, key in (
            (nameless, "NewAddressAnonymousDisabledMsg"),
            (not self._config.enable_user_create_email, "NewAddressDisabledMsg"),
        ):
            if refused:
                raise NotYours(text(key), message_key=key)

    def domains(self, chosen: str, *, random_subdomain: bool) -> Callable[[], str]:
        """What makes the domain: the chosen one, or a subdomain of it each time."""
        if not random_subdomain:
            return lambda: chosen
        rules = self.rules()
        return lambda: opening.with_random_subdomain(chosen, rules, random_text)
