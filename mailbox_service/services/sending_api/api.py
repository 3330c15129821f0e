"""The sending API as one value: every area's service, on one store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from mailbox_service.config import Config
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.passwords import Passwords
from mailbox_service.services.sending import Sending
from mailbox_service.services.sending_api.accepting import Accepting
from mailbox_service.services.sending_api.activity import Activity
from mailbox_service.services.sending_api.api_keys import ApiKeys
from mailbox_service.services.sending_api.archive import Archive
from mailbox_service.services.sending_api.authenticated_ips import AuthenticatedIps, OwnAddresses
from mailbox_service.services.sending_api.domains import Domains, Records
from mailbox_service.services.sending_api.email_search import EmailSearching
from mailbox_service.services.sending_api.emails import Emails
from mailbox_service.services.sending_api.fetching import Fetching, FileSource
from mailbox_service.services.sending_api.hooks import Hooks
from mailbox_service.services.sending_api.ip_lists import IpLists
from mailbox_service.services.sending_api.letters import Letters
from mailbox_service.services.sending_api.policies import (
    RECIPIENTS_LIST,
    SENDERS_LIST,
    Policies,
)
from mailbox_service.services.sending_api.rendering import Rendering
from mailbox_service.services.sending_api.reporting import Reporting
from mailbox_service.services.sending_api.returns import Returns
from mailbox_service.services.sending_api.scheduling import Scheduling
from mailbox_service.services.sending_api.senders import AddressLists, SingleSenders
from mailbox_service.services.sending_api.sms import ShortMessages
from mailbox_service.services.sending_api.sms_handing_over import HandingOver
from mailbox_service.services.sending_api.smtp_users import SmtpUsers
from mailbox_service.services.sending_api.statistics import Statistics
from mailbox_service.services.sending_api.subaccounts import Subaccounts
from mailbox_service.services.sending_api.suppressions import Suppressions
from mailbox_service.services.sending_api.templates import Templates
from mailbox_service.services.sending_api.tracking import Tracking
from mailbox_service.services.webhook_log import WebhookLog
from mailbox_service.signals import Signals
from mailbox_service.storage.database import Database


@dataclass(frozen=True, slots=True)
class SendingApi:
    """Everything behind `/v3`."""

    policies: Policies
    api_keys: ApiKeys
    smtp_users: SmtpUsers
    emails: Emails
    letters: Letters
    accepting: Accepting
    activity: Activity
    email_search: EmailSearching
    scheduling: Scheduling
    archive: Archive
    templates: Templates
    suppressions: Suppressions
    hooks: Hooks
    allowed_senders: AddressLists
    allowed_recipients: AddressLists
    single_senders: SingleSenders
    domains: Domains
    ip_lists: IpLists
    authenticated_ips: AuthenticatedIps
    subaccounts: Subaccounts
    statistics: Statistics
    reporting: Reporting
    tracking: Tracking
    returns: Returns
    short_messages: ShortMessages
    sms_handing_over: HandingOver

    @classmethod
    def of(
        cls,
        database: Database,
        config: Config,
        sending: Sending,
        passwords: Passwords,
        source: FileSource,
        records: Records,
        signals: Signals,
        own_addresses: OwnAddresses,
        *,
        clock: Clock = now_micros,
    ) -> Self:
        """Build all of it."""
        policies = Policies(database, config, clock=clock)
        keys = ApiKeys(database, policies, clock=clock)
        suppressions = Suppressions(database, signals, clock=clock)
        templates = Templates(database, Rendering(), clock=clock)
        fetching = Fetching(database, source, most=config.max_message_size, clock=clock)
        statistics = Statistics(database, policies, clock=clock)
        tracking = Tracking(database, config, policies, signals, clock=clock)
        handing_over = HandingOver(database, config, signals, clock=clock)
        emails = Emails(config, sending, policies, templates, fetching, clock=clock)
        return cls(
            policies=policies,
            api_keys=keys,
            smtp_users=SmtpUsers(database, policies, passwords, keys, clock=clock),
            emails=emails,
            letters=Letters(config, sending, clock=clock),
            accepting=Accepting(database, emails, signals, clock=clock),
            activity=Activity(database, clock=clock),
            email_search=EmailSearching(database, clock=clock),
            scheduling=Scheduling(database, signals, clock=clock),
            archive=Archive(database, config, clock=clock),
            templates=templates,
            suppressions=suppressions,
            hooks=Hooks(database, config, WebhookLog(database, signals, clock=clock), clock=clock),
            allowed_senders=AddressLists(database, policies, SENDERS_LIST, clock=clock),
            allowed_recipients=AddressLists(database, policies, RECIPIENTS_LIST, clock=clock),
            single_senders=SingleSenders(database, config, policies, sending, clock=clock),
            domains=Domains(database, config, policies, records, clock=clock),
            ip_lists=IpLists(database, policies, clock=clock),
            authenticated_ips=AuthenticatedIps(database, policies, own_addresses, clock=clock),
            subaccounts=Subaccounts(database, policies, keys, statistics, clock=clock),
            statistics=statistics,
            reporting=Reporting(database, config, signals, clock=clock),
            tracking=tracking,
            returns=Returns(database, config, tracking, signals, clock=clock),
            short_messages=ShortMessages(database, config, signals, handing_over, clock=clock),
            sms_handing_over=handing_over,
        )
