"""The whole service, built from top to bottom: read this to see what holds what.

`build` makes the services on a store, which is all that a command needs, and is the table of
contents: each function below it makes one part of the house. `service.py` opens the doors and runs
the workers besides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mailbox_service.config import Config
from mailbox_service.core.errors import BadAddress
from mailbox_service.core.object_store import Bucket, is_endpoint
from mailbox_service.core.sms_dialects import HttpDialect
from mailbox_service.outbound.dns import Resolver
from mailbox_service.outbound.fetch import FileOut
from mailbox_service.outbound.object_store import ObjectStore
from mailbox_service.outbound.own_addresses import own_addresses
from mailbox_service.outbound.own_servers import OwnServers
from mailbox_service.outbound.records import DomainRecords
from mailbox_service.outbound.sender import Outbound, read_setting
from mailbox_service.outbound.sms_http import HttpGateway
from mailbox_service.outbound.sms_smpp import SmppGateway
from mailbox_service.outbound.telegram import BotApi
from mailbox_service.outbound.webhook import HttpOut
from mailbox_service.services.access import Access
from mailbox_service.services.account_addresses import AccountAddresses
from mailbox_service.services.accounts import Accounts
from mailbox_service.services.administering import Administering
from mailbox_service.services.agents import Agents
from mailbox_service.services.asking_model import ANSWER_OCTETS as MODEL_OCTETS
from mailbox_service.services.asking_model import SECONDS as MODEL_SECONDS
from mailbox_service.services.asking_model import AskingModel
from mailbox_service.services.auditing import Auditing
from mailbox_service.services.authenticating import Authenticating
from mailbox_service.services.auto_replying import AutoReplying
from mailbox_service.services.cleaning import Cleaning
from mailbox_service.services.clock import as_datetime, now_micros
from mailbox_service.services.counting import Counting
from mailbox_service.services.delivering import Delivering
from mailbox_service.services.domain_checking import DomainChecking
from mailbox_service.services.exporting import Exporting
from mailbox_service.services.files import Files
from mailbox_service.services.first_steps import FirstSteps
from mailbox_service.services.following import Following
from mailbox_service.services.glancing import Glancing
from mailbox_service.services.human_verification import HumanVerification
from mailbox_service.services.integrating import Integrating
from mailbox_service.services.judged_webhooks import JudgedWebhooks
from mailbox_service.services.mail_access import MailAccess
from mailbox_service.services.network_database import NetworkOwners
from mailbox_service.services.notifying import Notifying
from mailbox_service.services.oauth2 import PROFILE_OCTETS, OAuth2
from mailbox_service.services.overruling import Overruling
from mailbox_service.services.owner_forwarding import OwnerForwarding
from mailbox_service.services.passkeys import Passkeys
from mailbox_service.services.passwords import Passwords
from mailbox_service.services.reacting import Reacting
from mailbox_service.services.reading import Reading
from mailbox_service.services.receiving import Receiving
from mailbox_service.services.registering import Registering
from mailbox_service.services.retaining import Retaining
from mailbox_service.services.sending import Sending
from mailbox_service.services.sending_api.api import SendingApi
from mailbox_service.services.sending_api.sms_by_email import EmailGateway
from mailbox_service.services.sending_api.sms_handing_over import Gateway
from mailbox_service.services.sent import SentMail
from mailbox_service.services.signing import Signing
from mailbox_service.services.summarising import Summarising
from mailbox_service.services.telegram import Telegram
from mailbox_service.services.telegram_bot import TelegramBot
from mailbox_service.services.telegram_pushing import TelegramPushing
from mailbox_service.services.tending import Tending
from mailbox_service.services.throttling import GuessLimits
from mailbox_service.services.verify_codes import VerifyCodes
from mailbox_service.services.verifying_origin import VerifyingOrigin
from mailbox_service.services.webhook_log import WebhookLog
from mailbox_service.services.webhooks import Webhooks
from mailbox_service.signals import Signals
from mailbox_service.storage.connect import connect
from mailbox_service.storage.database import Database
from mailbox_service.storage.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from mailbox_service.storage.postgres import PostgresDatabase

PAGE = Path(__file__).parent / "page"
# A call of the Bot API with the files of a mail over a slow line.
BOT_SECONDS = 120.0
BOT_ANSWER_OCTETS = 262_144


@dataclass(frozen=True, slots=True)
class Parts:
    """Every service on one store."""

    config: Config
    database: SqliteDatabase | PostgresDatabase
    signals: Signals
    administering: Administering
    overruling: Overruling
    authenticating: Authenticating
    registering: Registering
    accounts: Accounts
    account_addresses: AccountAddresses
    oauth2: OAuth2
    passkeys: Passkeys
    telegram: Telegram
    telegram_bot: TelegramBot
    telegram_pushing: TelegramPushing
    bot_out: HttpOut
    receiving: Receiving
    reading: Reading
    glancing: Glancing
    following: Following
    mail_access: MailAccess
    sending: Sending
    sending_api: SendingApi
    sms_out: HttpOut
    agents: Agents
    integrating: Integrating
    file_out: FileOut
    sent: SentMail
    delivering: Delivering
    outbound: Outbound
    summarising: Summarising
    asking_model: AskingModel
    model_out: HttpOut
    auto_replying: AutoReplying
    owner_forwarding: OwnerForwarding
    webhooks: Webhooks
    exporting: Exporting
    files: Files
    object_store: ObjectStore | None
    reacting: Reacting
    notifying: Notifying
    http_out: HttpOut
    verifying_origin: VerifyingOrigin
    human_verification: HumanVerification
    humans_out: HttpOut
    access: Access
    cleaning: Cleaning
    counting: Counting
    retaining: Retaining
    first_steps: FirstSteps
    webhook_log: WebhookLog
    domain_checking: DomainChecking
    auditing: Auditing
    tending: Tending
    providers_out: HttpOut


def build(config: Config) -> Parts:
    """Make every service; the store is not open yet. Raises ValueError for a wrong store."""
    resolver = read_setting("name_servers", Resolver, config.name_servers)
    database = connect(config.database_url, Path(config.data_dir))
    signals = Signals()
    administering = Administering(database, signals)
    passwords = Passwords(config.jwt_secret)
    receiving = Receiving(database, config, administering, signals)
    reading = Reading(database, signals)
    sending = Sending(database, config, administering, signals)
    outbound, signing = Outbound.of(config), Signing(database, config)
    delivering = Delivering(database, config, receiving, signing, outbound, signals)
    authenticating, registering, accounts = build_accounts(
        config, database, administering, passwords, sending, signals
    )
    oauth2, providers_out = build_oauth2(config, database, administering, accounts, resolver)
    telegram, telegram_bot, telegram_pushing, bot_out = build_telegram(
        config, database, administering, authenticating, registering, reading, resolver, signals
    )
    sending_api, file_out, sms_out = build_sending_api(
        config, database, sending, passwords, resolver, signals
    )
    # Its users sign in as mailboxes do, and its returned and tracked mail goes the common ways.
    authenticating.sending_logins = sending_api.smtp_users
    receiving.returns = sending_api.returns
    delivering.attempting.tracking = sending_api.tracking
    webhooks, notifying, verifying_origin, http_out = build_webhooks(
        config, database, administering, sending, sending_api, resolver, signals
    )
    summarising, asking_model, model_out = build_extraction(
        config, database, administering, resolver, signals
    )
    human_verification, humans_out = build_human_verification(config, database, resolver)
    store = object_store(config, resolver)
    counting, domain_checking, first_steps = build_figures(config, database, signing)
    return Parts(
        config=config,
        database=database,
        signals=signals,
        # Mail that comes in, and whoever reads it
        receiving=receiving,
        reading=reading,
        glancing=Glancing(database, reading),
        following=Following(database, reading, signals),
        mail_access=MailAccess(database, config, authenticating, signals, accounts=accounts),
        exporting=Exporting(database),
        files=Files(database, config, store),
        object_store=store,
        # Mail that goes out
        sending=sending,
        sent=SentMail(database, signals),
        delivering=delivering,
        outbound=outbound,
        sending_api=sending_api,
        sms_out=sms_out,
        file_out=file_out,
        integrating=Integrating(
            database,
            config,
            OwnServers(resolver, config.own_name, private_hosts=config.smtp_private_hosts),
            signals,
        ),
        # What follows from a mail
        summarising=summarising,
        asking_model=asking_model,
        model_out=model_out,
        auto_replying=AutoReplying(database, config),
        owner_forwarding=OwnerForwarding(database, config, administering, sending, signals),
        reacting=Reacting(database, config, administering, sending, signals),
        webhooks=webhooks,
        notifying=notifying,
        http_out=http_out,
        webhook_log=WebhookLog(database, signals),
        verifying_origin=verifying_origin,
        # Whoever asks: mailboxes, accounts, agents, people
        authenticating=authenticating,
        registering=registering,
        accounts=accounts,
        account_addresses=AccountAddresses(
            database, administering, authenticating, reading, signals
        ),
        oauth2=oauth2,
        providers_out=providers_out,
        passkeys=Passkeys(database, config, authenticating, accounts),
        telegram=telegram,
        telegram_bot=telegram_bot,
        telegram_pushing=telegram_pushing,
        bot_out=bot_out,
        agents=Agents(database, authenticating, registering, sending_api.api_keys),
        human_verification=human_verification,
        humans_out=humans_out,
        access=Access(database, administering, owners=NetworkOwners(config.asn_database)),
        # Watching, operating and cleaning up
        administering=administering,
        overruling=Overruling(config, administering),
        auditing=Auditing(database),
        counting=counting,
        domain_checking=domain_checking,
        first_steps=first_steps,
        cleaning=Cleaning(database, config, administering, authenticating, signals),
        retaining=Retaining(database, config, signals),
        tending=Tending(database, config, signals),
    )


def build_accounts(
    config: Config,
    database: Database,
    administering: Administering,
    passwords: Passwords,
    sending: Sending,
    signals: Signals,
) -> tuple[Authenticating, Registering, Accounts]:
    """Who holds which address, and the accounts of people; wrong passwords of both count
    together."""
    guesses = GuessLimits()
    authenticating = Authenticating(database, config, passwords, guesses)
    registering = Registering(database, config, administering, authenticating, passwords, signals)
    codes = VerifyCodes(database, sending, config.jwt_secret)
    accounts = Accounts(database, config, administering, authenticating, passwords, guesses, codes)
    return authenticating, registering, accounts


def build_oauth2(
    config: Config,
    database: Database,
    administering: Administering,
    accounts: Accounts,
    resolver: Resolver,
) -> tuple[OAuth2, HttpOut]:
    """Signing in by somebody else's accounts, and the way to them."""
    out = HttpOut(
        resolver,
        private_addresses=config.oauth2_private_addresses,
        answer_octets=PROFILE_OCTETS,
    )
    return OAuth2(database, config, administering, accounts, out), out


def build_telegram(
    config: Config,
    database: Database,
    administering: Administering,
    authenticating: Authenticating,
    registering: Registering,
    reading: Reading,
    resolver: Resolver,
    signals: Signals,
) -> tuple[Telegram, TelegramBot, TelegramPushing, HttpOut]:
    """Mailboxes in Telegram: whose they are, the bot, what it tells by itself, and the way out."""
    out = HttpOut(
        resolver,
        # Another Bot API than Telegram's own is a server of the operator's.
        private_addresses=config.telegram_api_url != Config().telegram_api_url,
        seconds=BOT_SECONDS,
        answer_octets=BOT_ANSWER_OCTETS,
    )
    api = BotApi(config.telegram_api_url, config.telegram_bot_token, out)
    people = Telegram(database, config, administering, authenticating, registering, reading)
    pushing = TelegramPushing(database, config, administering, reading, api, signals)
    return people, TelegramBot(database, config, people, api), pushing, out


def build_sending_api(
    config: Config,
    database: Database,
    sending: Sending,
    passwords: Passwords,
    resolver: Resolver,
    signals: Signals,
) -> tuple[SendingApi, FileOut, HttpOut]:
    """The sending API, and the ways out to files that mail names and to the gateway of short
    messages. Raises ValueError for a wrong gateway."""
    file_out = FileOut(resolver, private_hosts=config.fetch_private_hosts)
    sending_api = SendingApi.of(
        database,
        config,
        sending,
        passwords,
        file_out,
        DomainRecords(asking_anew(config)),
        signals,
        own_addresses,
    )
    sms_out = HttpOut(resolver, private_addresses=config.sms_private_addresses)
    sending_api.sms_handing_over.gateway = sms_gateway(config, sms_out, sending)
    return sending_api, file_out, sms_out


def build_webhooks(
    config: Config,
    database: Database,
    administering: Administering,
    sending: Sending,
    sending_api: SendingApi,
    resolver: Resolver,
    signals: Signals,
) -> tuple[Webhooks, Notifying, VerifyingOrigin, HttpOut]:
    """Webhooks, the worker that posts them, the one that finds out where mail comes from and
    decides about those that ask for it, and the way out."""
    out = HttpOut(resolver, private_addresses=config.webhook_private_addresses)
    webhooks = Webhooks(database, config, administering, out)
    notifying = Notifying(database, webhooks, out, signals, sending_hooks=sending_api.hooks)
    verifying_origin = VerifyingOrigin(
        database,
        config,
        Resolver(config.name_servers, question_seconds=6.0),
        signals,
        webhooks=JudgedWebhooks(config, administering, sending),
    )
    return webhooks, notifying, verifying_origin, out


def build_extraction(
    config: Config,
    database: Database,
    administering: Administering,
    resolver: Resolver,
    signals: Signals,
) -> tuple[Summarising, AskingModel, HttpOut]:
    """What finds codes and links in mail: our own rules, a model besides, and the way to it."""
    out = HttpOut(
        resolver,
        private_addresses=config.extraction_private_addresses,
        seconds=MODEL_SECONDS,
        answer_octets=MODEL_OCTETS,
    )

    def looks_through(address: str) -> bool:
        return administering.rules.extract_list.allows(address)

    summarising = Summarising(database, config, signals, looks_through=looks_through)
    asking_model = AskingModel(database, config, out, signals, looks_through=looks_through)
    return summarising, asking_model, out


def build_human_verification(
    config: Config, database: Database, resolver: Resolver
) -> tuple[HumanVerification, HttpOut]:
    """Whether a person asks, and the way to whoever knows."""
    out = HttpOut(
        resolver,
        # Another verifier than Cloudflare's own is a server of the operator's.
        private_addresses=config.cf_turnstile_url != Config().cf_turnstile_url,
    )
    return HumanVerification(database, config, out), out


def build_figures(
    config: Config, database: Database, signing: Signing
) -> tuple[Counting, DomainChecking, FirstSteps]:
    """Figures, what DNS says of our domains, and what is left to be set up by both."""
    counting = Counting(database, config)
    domain_checking = DomainChecking(config, signing, asking_anew(config))
    return counting, domain_checking, FirstSteps(config, counting, domain_checking)


def asking_anew(config: Config) -> Resolver:
    """A resolver for whoever has just added what was missing: an answer that is remembered would
    hide it."""
    return Resolver(config.name_servers, question_seconds=6.0, remembers=False)


def sms_gateway(config: Config, out: HttpOut, sending: Sending) -> Gateway | None:
    """What carries short messages; None when nothing does. Raises ValueError."""
    if not config.sms_gateway:
        return None
    parts = urlsplit(config.sms_url)
    if config.sms_gateway == "email":
        try:
            return EmailGateway(sending, parts.path, config.sms_email_from)
        except BadAddress:
            words = "expected sms_url = mailto:{number}@gateway and an address of ours"
            raise ValueError(f"sms_email_from: {words}") from None
    if config.sms_gateway == "smpp":
        if parts.scheme != "smpp" or not parts.hostname:
            raise ValueError("sms_url: expected smpp://host:port")
        if find_spec("aiosmpplib") is None:
            raise ValueError('sms_gateway: smpp needs: pip install "mailbox-service[sms]"')
        return SmppGateway(
            parts.hostname, parts.port or 2775, config.sms_username, config.sms_password
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("sms_url: expected http[s]://host[:port][/path]")
    if config.sms_answer_id.startswith("re:"):
        try:
            re.compile(config.sms_answer_id.removeprefix("re:"))
        except re.error as error:
            raise ValueError(f"sms_answer_id: not a regular expression ({error})") from None
    dialect = HttpDialect(
        url=config.sms_url,
        preset=config.sms_preset,
        method=config.sms_method,
        format=config.sms_format,
        username=config.sms_username,
        password=config.sms_password,
        basic=config.sms_basic_auth,
        fields=config.sms_fields or None,
        answer_id=config.sms_answer_id,
    )
    return HttpGateway(dialect, out)


def object_store(config: Config, resolver: Resolver) -> ObjectStore | None:
    """The object store of saved attachments, when all of it is configured. Raises ValueError."""
    bucket = Bucket(
        config.s3_endpoint, config.s3_bucket, config.s3_access_key_id, config.s3_secret_access_key
    )
    if not all((bucket.endpoint, bucket.name, bucket.key_id, bucket.secret)):
        return None
    if not is_endpoint(bucket.endpoint):
        raise ValueError("s3_endpoint: expected http[s]://host[:port][/path]")
    return ObjectStore(
        bucket,
        resolver,
        lambda: as_datetime(now_micros()),
        private_addresses=config.s3_private_addresses,
    )
