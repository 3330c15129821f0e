"""The settings of one process, one frozen `Config`; `configuring` makes it of file and environment.

Each setting explains itself: its type, its default and its description are written once, here;
`docs/settings.md` and the file that the first start writes are made from them. What an
administrator may change while the service runs is not here but in `core.settings`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta, Struct, field

# Names that carry a secret: their values never leave this object in logs, pages or errors.
SECRETS = frozenset(
    {
        "jwt_secret",
        "passwords",
        "admin_passwords",
        "relay_url",
        "smtp_config",
        "resend_token",
        "resend_tokens",
        "database_url",
        "cf_turnstile_secret_key",
        "s3_access_key_id",
        "s3_secret_access_key",
        "sms_password",
        "telegram_bot_token",
        "webhook_secret",
        "extraction_secret",
    }
)
# A mail with a 50 MiB file in it is 68 MiB of base64; larger files belong on a file server.
MEBIBYTE = 1 << 20


class ConfigError(Exception):
    """A setting that is unknown, of the wrong type, or unsafe; the text is one line."""


class Role(Struct, frozen=True, kw_only=True):
    """A user role: the domains and the prefix that its members' addresses have."""

    role: str
    domains: list[str] | str | None = None
    prefix: str | None = None


class SmtpCredentials(Struct, frozen=True, kw_only=True):
    """The login at a next hop."""

    username: str
    password: str


class SmtpChannel(Struct, frozen=True, kw_only=True, rename="camel"):
    """A relay for the mail of one of our domains (mailbox API §10.7). Times are in ms."""

    host: str
    port: int
    secure: bool = False
    start_tls: bool = True
    auth_type: str | list[str] | None = None
    credentials: SmtpCredentials | None = None
    socket_timeout_ms: int = 60_000
    response_timeout_ms: int = 30_000


def described(text: str, **bounds: Any) -> Meta:
    return Meta(description=text, **bounds)


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that needs a restart to change. Lower-case names are those of the file; in
    the environment they are upper-case behind `MAILBOX_`."""

    # Place and doors
    data_dir: Annotated[str, described("Folder of the store and of what the first start made.")] = (
        "./data"
    )
    database_url: Annotated[
        str, described("Empty: an SQLite file in data_dir. Or postgresql://user:pw@host/name.")
    ] = ""
    hostname: Annotated[
        str, described("Our name in greetings and trace fields. Empty: the first domain.")
    ] = ""
    http_listen: Annotated[str, described("Page and API, host:port; empty: off.")] = (
        "127.0.0.1:8787"
    )
    submission_listen: Annotated[str, described("SMTP with login, host:port; empty: off.")] = (
        "127.0.0.1:8025"
    )
    reception_listen: Annotated[
        str, described("SMTP for the world's mail servers, host:port; port 25 in production.")
    ] = "127.0.0.1:2525"
    imap_listen: Annotated[str, described("IMAP, host:port; empty: off.")] = "127.0.0.1:11143"
    pop3_listen: Annotated[str, described("POP3, host:port; empty: off.")] = "127.0.0.1:11110"
    tls_cert: Annotated[
        str, described("Certificate chain, PEM file. With tls_key: STARTTLS on every mail door.")
    ] = ""
    tls_key: Annotated[str, described("Private key of tls_cert, PEM file, mode 0600.")] = ""
    submissions_listen: Annotated[
        str, described("Submission with TLS from the first byte, host:port (RFC 8314); empty: off.")
    ] = ""
    imaps_listen: Annotated[str, described("IMAP with TLS from the first byte; empty: off.")] = ""
    pop3s_listen: Annotated[str, described("POP3 with TLS from the first byte; empty: off.")] = ""
    trusted_proxies: Annotated[
        list[str],
        described("Addresses or networks whose X-Forwarded-For and X-Real-IP are believed."),
    ] = field(default_factory=list)
    max_message_size: Annotated[
        int, described("Largest message in octets, in and out.", ge=65_536, le=1 << 30)
    ] = 50 * MEBIBYTE
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], described("How much the log tells.")
    ] = "info"

    # Sending
    outbound: Annotated[
        Literal["hold", "relay", "direct"],
        described(
            "hold: keep mail for foreign domains, send nothing. relay: hand it to relay_url. "
            "direct: deliver to the recipients' mail servers."
        ),
    ] = "hold"
    relay_url: Annotated[
        str, described("The next hop of outbound = relay: smtp[s]://user:password@host:port.")
    ] = ""
    direct_port: Annotated[
        int, described("Port of the recipients' mail servers.", ge=1, le=65_535)
    ] = 25
    direct_private_addresses: Annotated[
        bool, described("Let outbound = direct connect to loopback and private addresses (tests).")
    ] = False
    direct_mta_sts: Annotated[
        bool, described("With outbound = direct: heed the policies of domains (MTA-STS, RFC 8461).")
    ] = True
    mta_sts_mode: Annotated[
        Literal["none", "testing", "enforce"],
        described(
            "The MTA-STS policy of our domains, served to requests for mta-sts.<domain>: testing "
            "asks senders for reports only, enforce has them insist on TLS."
        ),
    ] = "testing"
    direct_dane: Annotated[
        bool,
        described(
            "With outbound = direct: heed keys in DNS (DANE); name servers must check DNSSEC."
        ),
    ] = False
    name_servers: Annotated[
        list[str], described("Name servers as host or host:port. Empty: those of the system.")
    ] = field(default_factory=list)
    smtp_config: Annotated[
        dict[str, SmtpChannel], described("A relay per domain of ours; comes before outbound.")
    ] = field(default_factory=dict)
    send_mail_domains: Annotated[
        list[str], described("Our domains that may send by outbound. Empty: all.")
    ] = field(default_factory=list)
    enable_send_from_subdomains: Annotated[
        bool,
        described(
            "Addresses below a domain of ours may send too: by its ways out, signed by its key."
        ),
    ] = False
    default_send_balance: Annotated[
        int, described("Mails that a new address may send without asking.", ge=0)
    ] = 0
    no_limit_send_role: Annotated[
        str, described("Roles that send without balance, comma-separated.")
    ] = ""
    resend_token: Annotated[
        str,
        described(
            "Key of a Resend account: mail of our domains goes out by it, before smtp_config and "
            "outbound."
        ),
    ] = ""
    resend_tokens: Annotated[
        dict[str, str],
        described(
            "Keys of single domains, which come before resend_token. Each may also be a setting of "
            "its own: resend_token_x_test for x.test."
        ),
    ] = field(default_factory=dict)
    resend_server: Annotated[
        str,
        described("Where Resend takes whole messages by SMTP; the key is the password there."),
    ] = "smtps://smtp.resend.com:465"
    dkim_algorithms: Annotated[
        list[Literal["rsa", "ed25519"]],
        described(
            "How mail of our domains is signed: rsa, which every receiver reads, ed25519, which "
            "costs a tenth and not all of them read, or both.",
            min_length=1,
        ),
    ] = field(default_factory=lambda: ["rsa", "ed25519"])

    # The sending API
    sending_plan: Annotated[
        int, described("Mails a month through the sending API's keys; 0: any number.", ge=0)
    ] = 0
    sending_rate: Annotated[
        int, described("Calls a minute and key of /v3/email/send and /v3/email/mime; 0: any.", ge=0)
    ] = 250

    # AI agents
    enable_mcp: Annotated[bool, described("AI agents may use mailboxes at /mcp (MCP).")] = True
    mcp_budgets: Annotated[
        dict[str, int],
        described("Calls a minute and agent by tool, where not the usual; 0: not offered."),
    ] = field(default_factory=dict)
    mcp_origins: Annotated[
        list[str],
        described("Pages that may call /mcp, as https://host, besides frontend_url and loopback."),
    ] = field(default_factory=list)

    # The sending API's memory and bounds
    sending_history_days: Annotated[
        int, described("Days that the sending API remembers what happened.", ge=1, le=3_650)
    ] = 30
    sending_scheduled: Annotated[
        int, described("Mails that an account may have scheduled at once.", ge=0)
    ] = 10_000
    sending_webhooks: Annotated[
        int, described("Webhooks that an account of the sending API may have.", ge=0)
    ] = 10
    fetch_private_hosts: Annotated[
        list[str],
        described("Hosts that attachments by URL may come from although they are private."),
    ] = field(default_factory=list)

    # Short messages
    sms_gateway: Annotated[
        Literal["", "http", "smpp", "email"],
        described("What carries short messages; empty: nothing does."),
    ] = ""
    sms_preset: Annotated[
        Literal["", "kannel", "jasmin", "twilio", "android"],
        described("What the HTTP gateway speaks; empty: as the settings below say."),
    ] = ""
    sms_url: Annotated[
        str,
        described(
            "The gateway: http(s)://…, smpp://host:2775 or mailto:{number}@… (secrets stand below)."
        ),
    ] = ""
    sms_username: Annotated[str, described("Login at the gateway.")] = ""
    sms_password: Annotated[str, described("Password at the gateway.")] = ""
    sms_sender: Annotated[str, described("Number or name that messages come from by default.")] = ""
    sms_email_from: Annotated[
        str, described("Address of ours that mails to an e-mail gateway come from.")
    ] = ""
    sms_method: Annotated[
        Literal["GET", "POST"], described("Method of an HTTP gateway without a preset.")
    ] = "POST"
    sms_format: Annotated[Literal["query", "form", "json"], described("Form of its request.")] = (
        "json"
    )
    sms_basic_auth: Annotated[bool, described("Whether it takes the login as HTTP Basic.")] = False
    sms_fields: Annotated[
        dict[str, str],
        described("Its names for to, from, text, id, username, password, callback."),
    ] = field(default_factory=dict)
    sms_answer_id: Annotated[
        str, described("Where its answer has the id: names with dots, or re:pattern.")
    ] = ""
    sms_private_addresses: Annotated[
        bool, described("Let the HTTP gateway be at a private address (a phone in the house).")
    ] = False
    sms_price: Annotated[
        int, described("Price of one unit in millionths of your currency, for sums.", ge=0)
    ] = 0
    sms_limit: Annotated[
        int, described("Short messages a month of the operator's account; 0: any number.", ge=0)
    ] = 0

    # Bounces, complaints, tracking; and who a client is
    bounce_domain: Annotated[
        str,
        described(
            "Domain of return-paths of the sending API, whose MX is this host; empty: the sender's."
        ),
    ] = ""
    feedback_address: Annotated[
        str, described("Address that mailbox providers send complaints about spam to.")
    ] = ""
    tracking_url: Annotated[
        str, described("Where links of tracked mail begin. Empty: frontend_url, or this server.")
    ] = ""
    geoip_database: Annotated[
        str,
        described(
            "File of the MaxMind DB format (GeoLite2 City, DB-IP) that tells where readers of "
            "tracked mail are. Empty: nobody is told."
        ),
    ] = ""
    asn_database: Annotated[
        str,
        described(
            "File of the MaxMind DB format (GeoLite2 ASN, DB-IP) that tells who owns a client's "
            "network, for `asnBlacklist`. Empty: only proxies tell."
        ),
    ] = ""
    smtp_private_hosts: Annotated[
        list[str],
        described("Private hosts that /send-email and its kin may connect to (name or address)."),
    ] = field(default_factory=list)

    # Addresses
    domains: Annotated[list[str], described("Every mail domain served here.")] = field(
        default_factory=list
    )
    default_domains: Annotated[
        list[str], described("Domains for visitors and users without a role. Empty: domains.")
    ] = field(default_factory=list)
    domain_labels: Annotated[list[str], described("Names to show, in the order of domains.")] = (
        field(default_factory=list)
    )
    random_subdomain_domains: Annotated[
        list[str], described("Domains whose subdomains may be made up or typed.")
    ] = field(default_factory=list)
    random_subdomain_length: Annotated[
        int, described("Letters of a made-up subdomain, 1 to 63.")
    ] = 8
    enable_create_address_subdomain_match: Annotated[
        bool | None, described("Addresses under any subdomain. Unset: the admin's setting decides.")
    ] = None
    create_address_default_domain_first: Annotated[
        bool, described("Without a wish take the first domain, not a random one.")
    ] = False
    prefix: Annotated[str, described("Put before every chosen name.")] = ""
    address_regex: Annotated[
        str, described("What is removed from wished names (JavaScript pattern).")
    ] = "[^a-z0-9]"
    address_check_regex: Annotated[
        str, described("What names must match (JavaScript pattern). Empty: anything.")
    ] = ""
    min_address_len: Annotated[int, described("Shortest name without prefix.")] = 1
    max_address_len: Annotated[int, described("Longest name without prefix.")] = 30
    disable_custom_address_name: Annotated[bool, described("Names are always made up.")] = False
    enable_user_create_email: Annotated[bool, described("Visitors may open addresses.")] = False
    disable_anonymous_user_create_email: Annotated[
        bool, described("Opening an address needs an account.")
    ] = False
    closed_name_days: Annotated[
        int,
        described(
            "Days that the name of a closed address stays closed to visitors; 0: anybody may open "
            "it at once.",
            ge=0,
            le=36_500,
        ),
    ] = 0
    enable_user_delete_email: Annotated[
        bool, described("Owners may delete mails, sent mail and addresses.")
    ] = False
    enable_address_password: Annotated[
        bool, described("Addresses have a password to come back with.")
    ] = False
    imap_account_login: Annotated[
        bool, described("An account logs in over IMAP too: all its addresses in one login.")
    ] = False

    # Access
    jwt_secret: Annotated[str, described("Signs the tokens. Keep it: old tokens need it.")] = ""
    passwords: Annotated[
        list[str], described("Passwords of a private site. Empty: open to everybody.")
    ] = field(default_factory=list)
    admin_passwords: Annotated[list[str], described("Passwords of the admin API.")] = field(
        default_factory=list
    )
    disable_admin_password_check: Annotated[
        bool, described("Admin API without password, behind another gate.")
    ] = False
    admin_user_role: Annotated[str, described("Role whose members may use the admin API.")] = ""
    user_roles: Annotated[list[Role], described("The roles of accounts.")] = field(
        default_factory=list
    )
    user_default_role: Annotated[str, described("Role of a newly verified account.")] = ""
    passkey_origins: Annotated[
        list[str],
        described("Pages that may ask for passkeys, as https://host. Empty: that of frontend_url."),
    ] = field(default_factory=list)
    oauth2_require_state: Annotated[
        bool,
        described("Sign-in at a provider ends only with the state that it began with, once."),
    ] = False
    oauth2_private_addresses: Annotated[
        bool, described("Let providers have loopback and private addresses (tests, closed nets).")
    ] = False
    rate_limit_requests: Annotated[
        int, described("Requests a minute, path and address for opening and sending; 0: any.", ge=0)
    ] = 0
    e2e_test_mode: Annotated[bool, described("The test hooks of the admin API exist.")] = False

    # Receiving
    black_list: Annotated[
        str, described("Parts of reverse-paths to refuse, comma-separated, not trimmed.")
    ] = ""
    verify_origin: Annotated[
        bool,
        described("Find out by SPF, DKIM, DMARC and ARC where arrived mail comes from."),
    ] = True
    score_header: Annotated[
        bool,
        described("Downloaded messages have the score and the results of verify_origin on top."),
    ] = False
    enable_sub_addresses: Annotated[
        bool, described("Mail for name+tag lands in name where nobody opened name+tag.")
    ] = True
    enable_check_junk_mail: Annotated[bool, described("Refuse mail that fails its checks.")] = False
    junk_mail_check_list: Annotated[
        list[str], described("Of spf, dkim, dmarc: those that must pass where present.")
    ] = field(default_factory=list)
    junk_mail_force_pass_list: Annotated[
        list[str], described("Of spf, dkim, dmarc: those that must pass.")
    ] = field(default_factory=list)

    # What becomes of arrived mail
    forward_address_list: Annotated[list[str], described("Everything is forwarded there.")] = field(
        default_factory=list
    )
    subdomain_forward_address_list: Annotated[
        list[dict[str, Any]], described("Forwarding rules (mailbox API §9.8).")
    ] = field(default_factory=list)
    remove_all_attachment: Annotated[bool, described("Drop attachments of arriving mail.")] = False
    remove_exceed_size_attachment: Annotated[
        bool, described("Drop attachments of mails of 2 MiB and more.")
    ] = False
    enable_mail_gzip: Annotated[bool, described("Store mail compressed.")] = False
    enable_owner_forwarding: Annotated[
        bool, described("Owners may forward their mail to an address that they prove.")
    ] = False
    enable_auto_reply: Annotated[bool, described("Addresses may answer by themselves.")] = False
    enable_webhook: Annotated[bool, described("Addresses may have a webhook.")] = False
    webhook_secret: Annotated[
        str,
        described(
            "Signs webhook posts (Standard Webhooks): `whsec_` and base64, or any text. Empty: no "
            "signature."
        ),
    ] = ""
    webhook_private_addresses: Annotated[
        bool, described("Let webhooks call loopback and private addresses (tests, closed nets).")
    ] = False
    frontend_url: Annotated[str, described("Where the page is, for links in webhooks.")] = ""

    # How much is kept, and for how long
    event_history_days: Annotated[
        int,
        described(
            "Days that the event stream and the history of sent mail reach back.", ge=1, le=36_500
        ),
    ] = 90
    mailbox_max_mails: Annotated[
        int,
        described("Mails that a mailbox may hold; further ones come again later. 0: any.", ge=0),
    ] = 0
    mailbox_max_octets: Annotated[
        int, described("Octets that the mails of a mailbox may have in all; 0: any.", ge=0)
    ] = 0
    mailbox_mails_per_minute: Annotated[
        int, described("Mails that may arrive for a mailbox in a clock minute; 0: any.", ge=0)
    ] = 0
    mailbox_mails_per_hour: Annotated[
        int, described("Mails that may arrive for a mailbox in a clock hour; 0: any.", ge=0)
    ] = 0
    retention_octets: Annotated[
        int,
        described(
            "When all arrived mail has more octets than this, the oldest is deleted; 0: never.",
            ge=0,
        ),
    ] = 0
    cleanup_batch_size: Annotated[int, described("Rows a cleanup step takes, 1 to 5000.")] = 3000

    # Codes and links
    enable_ai_email_extract: Annotated[
        bool, described("Write the code of a mail into its metadata (mailbox API §9.9).")
    ] = False
    ai_extract_model: Annotated[str, described("Model of the extraction. Empty: by rule.")] = ""
    extraction_url: Annotated[
        str,
        described(
            "A service that is asked for the code and the links of each mail after it arrived. "
            "Empty: by rule alone."
        ),
    ] = ""
    extraction_secret: Annotated[
        str, described("Sent to it as `Authorization: Bearer …`. Empty: nothing is sent.")
    ] = ""
    extraction_private_addresses: Annotated[
        bool, described("That service may be at a loopback or private address.")
    ] = False
    enable_another_worker: Annotated[bool, described("Call other services by keyword.")] = False
    another_worker_list: Annotated[
        list[dict[str, Any]], described("Those services (mailbox API §9.13).")
    ] = field(default_factory=list)

    # Page
    title: Annotated[str, described("Title of the page.")] = ""
    announcement: Annotated[str, described("A notice on the page (HTML).")] = ""
    always_show_announcement: Annotated[bool, described("Show it on every visit.")] = False
    copyright: Annotated[str, described("Footer (HTML).")] = ""
    admin_contact: Annotated[str, described("How to reach the administrator.")] = ""
    status_url: Annotated[str, described("Link to a status page.")] = ""
    default_lang: Annotated[str, described("Language of messages where none is asked: en, zh.")] = (
        ""
    )
    enable_index_about: Annotated[
        bool,
        described("Show About in the menu of the page; without it, it ends the mailbox settings."),
    ] = False
    repository_url: Annotated[
        str, described("Where the source can be read; the page links to it.")
    ] = ""
    disable_show_github: Annotated[bool, described("Hide the source link.")] = False
    disable_show_github_for_user: Annotated[bool, described("Hide it from users.")] = False
    enable_agent_email_info: Annotated[bool, described("Show what agents need.")] = False
    smtp_imap_proxy_config: Annotated[
        dict[str, Any], described("Connection facts that the page shows.")
    ] = field(default_factory=dict)

    # Human verification, object store, Telegram
    cf_turnstile_site_key: Annotated[str, described("Turnstile site key.")] = ""
    cf_turnstile_secret_key: Annotated[str, described("Turnstile secret key.")] = ""
    cf_turnstile_url: Annotated[
        str, described("Where Turnstile tokens are verified; another one may be private.")
    ] = "https://challenges.cloudflare.com/turnstile/v0/siteverify"
    enable_altcha: Annotated[
        bool, described("Ask visitors for a proof of work of our own (ALTCHA).")
    ] = False
    altcha_cost: Annotated[
        int, described("How much work a try costs (rounds of PBKDF2).", ge=1, le=1_000_000)
    ] = 5_000
    enable_global_turnstile_check: Annotated[bool, described("Ask at logins too.")] = False
    s3_endpoint: Annotated[str, described("Object store for attachments.")] = ""
    s3_access_key_id: Annotated[str, described("Its key id.")] = ""
    s3_secret_access_key: Annotated[str, described("Its secret.")] = ""
    s3_bucket: Annotated[str, described("Its bucket.")] = ""
    s3_url_expires: Annotated[int, described("Seconds that signed links live.")] = 360
    s3_private_addresses: Annotated[
        bool, described("The object store may be at a loopback or private address.")
    ] = False
    local_attachments: Annotated[
        bool, described("Without an object store: keep saved attachments in data_dir.")
    ] = False
    attachment_quota: Annotated[
        int, described("Octets of attachments that one address may keep in data_dir.", ge=0)
    ] = 256 * MEBIBYTE
    telegram_bot_token: Annotated[str, described("Token of the bot.")] = ""
    telegram_api_url: Annotated[
        str,
        described(
            "The Bot API. Any other than Telegram's own may have a private address: a server of "
            "yours."
        ),
    ] = "https://api.telegram.org"
    tg_max_address: Annotated[int, described("Addresses a Telegram user may have.")] = 5
    tg_bot_info: Annotated[dict[str, Any], described("The bot's own record.")] = field(
        default_factory=dict
    )
    tg_allow_user_lang: Annotated[bool, described("Users choose the bot's language.")] = False
    enable_tg_push_attachment: Annotated[bool, described("Push attachments too.")] = False

    @property
    def served_domains(self) -> tuple[str, ...]:
        """Every domain served, lower-case, in order."""
        return tuple(domain.strip().lower() for domain in self.domains)

    @property
    def domains_to_send_below(self) -> frozenset[str]:
        """The domains below which addresses may send too."""
        return frozenset(self.served_domains if self.enable_send_from_subdomains else ())

    @property
    def resend_keys(self) -> dict[str, str]:
        """The Resend key of each of our domains that has one (mailbox API §10.5, 2)."""
        own = {domain_in_a_name(name): key for name, key in self.resend_tokens.items()}
        keys = {
            domain: own.get(domain_in_a_name(domain)) or self.resend_token
            for domain in self.served_domains
        }
        return {domain: key for domain, key in keys.items() if key}

    @property
    def visitor_domains(self) -> tuple[str, ...]:
        """The domains that visitors choose from."""
        chosen = tuple(domain.strip().lower() for domain in self.default_domains)
        return chosen or self.served_domains

    @property
    def own_name(self) -> str:
        """Our name in greetings and trace fields."""
        return self.hostname or (self.served_domains[0] if self.domains else "localhost")


FIELDS = {item.name: item for item in msgspec.structs.fields(Config)}
TYPES = get_type_hints(Config, include_extras=False)


def domain_in_a_name(domain: str) -> str:
    """A domain as it stands in the name of a setting: `mail.x.test` is `mail_x_test`."""
    return re.sub(r"[^a-z0-9]", "_", domain.strip().lower())


def parse_listen(name: str, text: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port`. Raises ConfigError."""
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]\s]+)):([0-9]{1,5})", text)
    if match is None or int(match[3]) > 65_535:
        raise ConfigError(f"{name}: expected host:port, got {text!r}.")
    return match[1] or match[2], int(match[3])
