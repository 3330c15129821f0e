"""Accounts: who holds several addresses, and by what they prove themselves.

A user token says who somebody is and lives for 30 days; an access token says besides what role
they have, and lives for an hour (mailbox-api §2.1). Both outlive a deleted account, so whoever
acts on one looks the account up.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailbox_service.config import Config
from mailbox_service.config import Role as ConfiguredRole
from mailbox_service.core import accounts as rules
from mailbox_service.core.accounts import SECOND, Account, CountedAccount, SignedIn, UserSettings
from mailbox_service.core.address import canonical
from mailbox_service.core.errors import BadAddress, BadCredential, BadRequest, NotYours
from mailbox_service.core.opening import Role
from mailbox_service.core.texts import text
from mailbox_service.services.account_changes import (
    keep_account,
    open_with_code,
    remove_account,
    role_is_over,
    told,
)
from mailbox_service.services.administering import Administering
from mailbox_service.services.authenticating import Authenticating, looks_like_token
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.passwords import Passwords, digest_of, is_digest
from mailbox_service.services.throttling import GuessLimits
from mailbox_service.services.verify_codes import VerifyCodes
from mailbox_service.storage import addresses, user_addresses, users
from mailbox_service.storage.database import Database


class UnknownDefaultRole(Exception):
    """`USER_DEFAULT_ROLE` names no configured role. The account is there, without a role."""


class ExpiredAccess(Exception):
    """An access token of ours that has ended."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account sees of itself: its role as configured (None: it has none, or one that is
    no longer configured), and tokens that it should use."""

    account: Account
    role: ConfiguredRole | None
    access_token: str | None
    new_user_token: str | None


class Accounts:
    """Opens accounts, proves their owners, and knows their roles."""

    def __init__(
        self,
        database: Database,
        config: Config,
        administering: Administering,
        authenticating: Authenticating,
        kept: Passwords,
        guesses: GuessLimits,
        codes: VerifyCodes,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._config = config
        self._administering = administering
        self._authenticating = authenticating
        self._passwords = kept
        self._guesses = guesses
        self._codes = codes
        self._clock = clock

    @property
    def settings(self) -> UserSettings:
        """The administrator's rules about accounts."""
        return self._administering.rules.accounts

    # Finding.

    async def find_by_email(self, email: str) -> Account | None:
        """An account by its e-mail, exactly as it was registered."""
        if len(email) > rules.LONGEST_EMAIL or not email.isprintable():
            return None
        return await self._database.read_quick(users.by_email, email)

    async def by_id(self, user_id: int) -> Account | None:
        """An account by its id."""
        return await self._database.read_quick(users.by_id, user_id)

    async def list_accounts(
        self, *, limit: int, offset: int, query: str
    ) -> tuple[list[CountedAccount], int]:
        """A page of all accounts, newest first, and how many there are."""
        return await self._database.read(users.list_page, limit=limit, offset=offset, query=query)

    # Opening.

    async def ensure(self, email: str, *, source: str, user_info: str | None = None) -> Account:
        """The account of an e-mail that somebody else has proved, such as a provider; opened
        without a password when there is none, with the default role when it has no role.

        `source` is a word for whoever proved it, `user_info` JSON that it told. The caller has
        compared the e-mail with the list of domains that the provider's settings hold
        (`core.accounts.check_allow_list`); the registration switch does not apply
        (mailbox-api §3.5). Raises BadRequest for what is no e-mail, UnknownDefaultRole.
        """
        rules.check_email(email)
        account = await self._database.write(
            keep_account, email, None, user_info, source, self._default_role(), self._clock()
        )
        self.check_default_role()
        return account

    async def register(self, email: str, digest: str, code: str, *, ip: str) -> None:
        """Open an account with a password; where codes are mailed, the right code also gives an
        account that exists a new password (mailbox-api §3.5).

        The caller has asked `check_registration`. Raises BadRequest with the contract's
        reasons, TooManyRequests, UnknownDefaultRole.
        """
        settings = self.settings
        if not settings.enable_mail_verify:
            rules.check_may_register(email, settings)
            await self._open(email, digest, "registered", ip)
            return
        proved = await self._codes.try_code(email, code)
        rules.check_may_register(email, settings)
        password_hash = await self._passwords.keep_chosen(digest)
        await self._database.write(
            open_with_code,
            email,
            password_hash,
            told(email, ip),
            self._default_role(),
            proved,
            self._clock(),
        )
        self.check_default_role()

    def check_registration(self, email: str, digest: str) -> None:
        """Raises NotYours when nobody may register, BadRequest for missing words."""
        if not self.settings.enable:
            key = "UserRegistrationDisabledMsg"
            raise NotYours(text(key), message_key=key)
        if not email or not digest:
            raise rules.refusal("InvalidEmailOrPasswordMsg")
        rules.check_email(email)

    async def create(self, email: str, digest: str, *, ip: str) -> None:
        """Open an account for somebody, as an administrator. Raises BadRequest."""
        rules.check_email(email)
        await self._open(email, digest, "admin", ip)

    async def _open(self, email: str, digest: str, source: str, ip: str) -> None:
        if await self.find_by_email(email) is not None:  # spares the slow hash
            raise rules.refusal("UserAlreadyExistsMsg")
        opened = await self._database.write(
            users.add,
            email=email,
            password_hash=await self._passwords.keep_chosen(digest),
            role=None,
            user_info=told(email, ip),
            source=source,
            now=self._clock(),
        )
        if opened is None:
            raise rules.refusal("UserAlreadyExistsMsg")

    async def send_code(self, email: str, *, ip: str) -> None:
        """Mail a code to whoever wants to register. Raises BadRequest with the contract's
        reasons in its order, TooManyRequests, and `verify_codes.NotSent`."""
        settings = self.settings
        rules.check_may_register(email, settings)
        if not settings.verify_mail_sender:
            raise rules.refusal("VerifyMailSenderNotSetMsg")
        await self._codes.send(email, sender=settings.verify_mail_sender, ip=ip)

    # Proving.

    async def login(self, email: str, digest: str, *, ip: str) -> str:
        """A user token for an e-mail and the hash of its password.

        Raises BadRequest as the contract words it, or TooManyRequests.
        """
        return self.token_for(await self._prove(email, digest, ip))

    async def _prove(self, email: str, digest: str, ip: str) -> Account:
        """The account of an e-mail and the hash of its password."""
        place = f"account {email}"
        await self._guesses.check(ip, place)
        account = await self.find_by_email(email)
        if account is None or account.password_hash is None:
            await self._guesses.wrong(ip, place)
            raise rules.refusal("UserNotFoundMsg")
        if not await self._passwords.matches(account.password_hash, digest):
            await self._guesses.wrong(ip, place)
            raise rules.refusal("InvalidEmailOrPasswordMsg")
        return account

    async def mail_login(self, username: str, password: str, ip: str) -> Account | None:
        """The account that a mail program shows: by a user token or access token with any user
        name, or by its e-mail with its password, typed or hashed. None where the operator does
        not want it (`imap_account_login`), and for a login that is not an account's to judge: an
        address may have the same name, and a password of its own.

        Raises BadCredential, TooManyRequests.
        """
        if not self._config.imap_account_login:
            return None
        if looks_like_token(password):
            return await self._bearer(password, ip)
        account = await self.find_by_email(username.strip())
        if account is None or account.password_hash is None:
            return None
        digest = password if is_digest(password) else digest_of(password)
        try:
            account = await self._prove(account.email, digest, ip)
        except BadRequest as refusal:
            if await self._is_address(account.email):
                return None
            raise BadCredential(str(refusal)) from None
        await self._touch(account.id)
        return account

    async def _bearer(self, token: str, ip: str) -> Account | None:
        """The account of a user token; None for a token that says nothing of an account."""
        try:
            claims = self._authenticating.signed_claims(token)
        except BadCredential:
            return None
        if "address" in claims or "user_id" not in claims:
            return None
        await self._guesses.check(ip)
        proved = rules.signed_in(claims, self._seconds())
        account = None if proved is None else await self.by_id(proved.user_id)
        if proved is None or account is None or account.email != proved.email:
            await self._guesses.wrong(ip)
            raise BadCredential(text("UserTokenExpiredMsg"), message_key="UserTokenExpiredMsg")
        await self._touch(account.id)
        return account

    async def _is_address(self, email: str) -> bool:
        """Whether an open address has the name of this e-mail."""
        try:
            address = canonical(email)
        except BadAddress:
            return False
        return await self._database.read_quick(addresses.by_address, address) is not None

    def token_for(self, account: Account) -> str:
        """A user token, good for 30 days."""
        return self._authenticating.sign(rules.user_claims(account, self._seconds()))

    async def principal_of(self, token: str) -> SignedIn:
        """Whom a user token proves. Raises BadCredential, also for one that has ended.

        A token outlives a deleted account: what acts on the account looks it up by `by_id`.
        """
        key = "UserTokenExpiredMsg"
        try:
            proved = rules.signed_in(self._authenticating.signed_claims(token), self._seconds())
        except BadCredential:
            proved = None
        if proved is None:
            raise BadCredential(text(key), message_key=key)
        return proved

    async def visiting(self, token: str | None) -> Account | None:
        """The account whose user token a visitor may show; None without a good one."""
        if not token:
            return None
        try:
            proved = await self.principal_of(token)
        except BadCredential:
            return None
        return await self.by_id(proved.user_id)

    async def access_role(self, token: str | None) -> str | None:
        """The role that an access token gives now; None without a good one, and after its
        account has another role or is gone."""
        try:
            return await self.proved_role(token or "")
        except (BadCredential, ExpiredAccess):
            return None

    async def proved_role(self, token: str) -> str | None:
        """The role in an access token, None when it gives none (any more).

        Raises BadCredential when it is not of ours, ExpiredAccess when it has ended or never
        would.
        """
        claims = self._authenticating.signed_claims(token)
        if not rules.in_time(claims, self._seconds()):
            raise ExpiredAccess
        role = claims.get("user_role")
        if not isinstance(role, str) or not role:
            return None
        over = await self._database.read_quick(role_is_over, claims, role)
        return None if over else role

    async def standing(self, proved: SignedIn) -> Standing:
        """What a signed-in account sees of itself; notes that its addresses are in use.

        Raises BadRequest when it is gone.
        """
        account = await self.by_id(proved.user_id)
        if account is None:
            raise rules.refusal("UserNotFoundMsg")
        now = self._seconds()
        role = self.role_named(account.role)
        access = None
        if role is not None:
            access = self._authenticating.sign(rules.access_claims(account, role.role, now))
        await self._touch(account.id)
        return Standing(
            account, role, access, self.token_for(account) if proved.renews_at(now) else None
        )

    async def _touch(self, user_id: int) -> None:
        now = self._clock()
        if await self._database.read(user_addresses.any_idle, user_id, now=now):
            await self._database.write(user_addresses.touch_all, user_id, now=now)

    # Roles.

    def role_named(self, name: str | None) -> ConfiguredRole | None:
        """A configured role; None when it is none."""
        return next((role for role in self._config.user_roles if role.role == name), None)

    def opening_role(self, account: Account | None) -> Role | None:
        """What an account's role changes about the addresses it opens; None: nothing."""
        role = self.role_named(account.role) if account and account.role else None
        return None if role is None else Role(rules.split_domains(role.domains), role.prefix)

    def _default_role(self) -> str | None:
        role = self.role_named(self._config.user_default_role)
        return None if role is None else role.role

    def check_default_role(self) -> None:
        """Raises UnknownDefaultRole when the configured default role is none."""
        if self._config.user_default_role and self._default_role() is None:
            raise UnknownDefaultRole

    def sends_without_limit(self, role: str | None) -> bool:
        """Whether a role sends without an allowance (mailbox-api §10.3)."""
        return role is not None and role in rules.names_in(self._config.no_limit_send_role)

    # Administering.

    async def set_password(self, user_id: int, digest: str) -> None:
        """Give an account another password; nothing happens when it is gone."""
        password_hash = await self._passwords.keep_chosen(digest)
        await self._database.write(
            users.set_password, user_id, password_hash=password_hash, now=self._clock()
        )

    async def set_role(self, user_id: int, role: str) -> None:
        """Give an account a configured role; the empty text takes it away. Raises BadRequest."""
        if role and self.role_named(role) is None:
            raise rules.refusal("InvalidRoleTextMsg")
        known = await self._database.write(
            users.set_role, user_id, role=role or None, now=self._clock()
        )
        if role and not known:
            raise rules.refusal("InvalidUserIdMsg")

    async def remove(self, user_id: int) -> None:
        """Delete an account with its role and passkeys; its addresses stay, and are nobody's."""
        await self._database.write(remove_account, user_id, self._clock())

    async def change_settings(self, value: object) -> None:
        """Set the rules about accounts. Raises BadRequest when they could not work."""
        settings = rules.read_user_settings(value)
        rules.check_user_settings(settings, self._config.served_domains)
        await self._administering.change({"user_settings": settings.as_json()})

    async def change_role_config(self, configs: object) -> None:
        """Set the limits of roles. Raises BadRequest."""
        await self._administering.change({"role_address_config": rules.check_role_config(configs)})

    def _seconds(self) -> int:
        return self._clock() // SECOND
