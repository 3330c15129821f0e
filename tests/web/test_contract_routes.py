"""Every route of the mailbox API that existing clients may call (mailbox-api §3), one a line, in
the order of the contract."""

from __future__ import annotations

import pytest

from tests.web.site import Site

pytestmark = pytest.mark.anyio

CONTRACT = """
3.1 Health
GET    /
GET    /health_check
3.2 What anybody may know
GET    /open_api/settings
POST   /open_api/site_login
POST   /open_api/admin_login
POST   /open_api/credential_login
3.3 One mailbox
GET    /api/settings
GET    /api/mails
GET    /api/mail/:mail_id
GET    /api/parsed_mails
GET    /api/parsed_mail/:mail_id
DELETE /api/mails/:id
DELETE /api/clear_inbox
DELETE /api/clear_sent_items
DELETE /api/delete_address
POST   /api/address_change_password
POST   /api/address_login
GET    /api/sendbox
DELETE /api/sendbox/:id
POST   /api/request_send_mail_access
POST   /api/send_mail
GET    /api/auto_reply
POST   /api/auto_reply
GET    /api/webhook/settings
POST   /api/webhook/settings
POST   /api/webhook/test
GET    /api/attachment/list
POST   /api/attachment/put_url
POST   /api/attachment/get_url
POST   /api/attachment/delete
POST   /api/new_address
3.4 The token in the body
POST   /external/api/send_mail
3.5 Accounts: settings, login, registration
GET    /user_api/open_settings
GET    /user_api/settings
POST   /user_api/login
POST   /user_api/verify_code
POST   /user_api/register
3.5 Accounts: OAuth2
GET    /user_api/oauth2/login_url
POST   /user_api/oauth2/callback
3.5 Accounts: bound addresses and their mail
GET    /user_api/bind_address
POST   /user_api/bind_address
GET    /user_api/bind_address_jwt/:address_id
POST   /user_api/unbind_address
POST   /user_api/transfer_address
GET    /user_api/mails
DELETE /user_api/mails/:id
3.5 Accounts: passkeys
GET    /user_api/passkey
POST   /user_api/passkey/rename
DELETE /user_api/passkey/:passkey_id
POST   /user_api/passkey/register_request
POST   /user_api/passkey/register_response
POST   /user_api/passkey/authenticate_request
POST   /user_api/passkey/authenticate_response
3.6 Administration: addresses
GET    /admin/address
POST   /admin/new_address
DELETE /admin/delete_address/:id
DELETE /admin/clear_inbox/:id
DELETE /admin/clear_sent_items/:id
GET    /admin/show_password/:id
POST   /admin/address/:id/reset_password
3.6 Administration: mails
GET    /admin/mails
GET    /admin/mails_unknow
GET    /admin/mails/:id
DELETE /admin/mails/:id
3.6 Administration: sending
GET    /admin/address_sender
POST   /admin/address_sender
DELETE /admin/address_sender/:id
GET    /admin/sendbox
DELETE /admin/sendbox/:id
POST   /admin/send_mail
POST   /admin/send_mail_by_binding
3.6 Administration: statistics, account settings, cleanup
GET    /admin/statistics
GET    /admin/account_settings
POST   /admin/account_settings
POST   /admin/cleanup
GET    /admin/auto_cleanup
POST   /admin/auto_cleanup
3.6 Administration: users and roles
GET    /admin/user_settings
POST   /admin/user_settings
GET    /admin/users
POST   /admin/users
DELETE /admin/users/:user_id
POST   /admin/users/:user_id/reset_password
GET    /admin/user_roles
POST   /admin/user_roles
GET    /admin/role_address_config
POST   /admin/role_address_config
GET    /admin/users/bind_address/:user_id
POST   /admin/users/bind_address
GET    /admin/user_oauth2_settings
POST   /admin/user_oauth2_settings
3.6 Administration: webhooks, policies, maintenance
GET    /admin/webhook/settings
POST   /admin/webhook/settings
GET    /admin/mail_webhook/settings
POST   /admin/mail_webhook/settings
POST   /admin/mail_webhook/test
GET    /admin/ai_extract/settings
POST   /admin/ai_extract/settings
GET    /admin/ip_blacklist/settings
POST   /admin/ip_blacklist/settings
GET    /admin/worker/configs
GET    /admin/config/:key
POST   /admin/config
GET    /admin/db_version
POST   /admin/db_initialize
POST   /admin/db_migration
3.6 Administration: Telegram
POST   /admin/telegram/init
GET    /admin/telegram/status
GET    /admin/telegram/settings
POST   /admin/telegram/settings
3.6 Administration: hooks for tests
POST   /admin/test/seed_mail
POST   /admin/test/receive_mail
3.7 Telegram
POST   /telegram/webhook
POST   /telegram/get_bind_address
POST   /telegram/new_address
POST   /telegram/bind_address
POST   /telegram/unbind_address
POST   /telegram/get_mail
"""
METHODS = ("GET", "POST", "DELETE")
ROUTES = [
    (words[0], words[1])
    for words in (line.split() for line in CONTRACT.splitlines())
    if words and words[0] in METHODS
]


def test_no_route_of_the_contract_is_listed_twice() -> None:
    assert len(set(ROUTES)) == len(ROUTES) == 118


async def test_every_route_of_the_contract_exists(site: Site) -> None:
    """By its method, under its path; values in the path have whatever name."""
    table = site.app.state.table
    missing, shadowed = [], []
    for method, path in ROUTES:
        found = table.find(method, path)
        if found is None:
            missing.append((method, path))
            continue
        there = "/".join(":" if part[:1] in ("{", ":") else part for part in found[0].segments)
        wanted = "/".join(":" if part[:1] == ":" else part for part in path.split("/"))
        if there != wanted:
            shadowed.append((method, path, found[0].path))
    assert missing == []
    assert shadowed == []


async def test_paths_of_the_contract_are_strict(site: Site) -> None:
    """§1.1: no variant with a slash behind, and case counts."""
    table = site.app.state.table
    for method, path in ROUTES:
        assert table.find(method, path + "/") is None, path
        assert path == "/" or table.find(method, path.upper()) is None, path
