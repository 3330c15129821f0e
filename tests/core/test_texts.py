"""The messages of mailbox-api §6, compared with the contract's own table."""

from __future__ import annotations

import re

import pytest

from mailbox_service.core.texts import MESSAGES, choose_language, localised, text

# mailbox-api §6, one key a line.
CONTRACT = """
CustomAuthPasswordMsg | You have enabled the private site password, please provide the password
UserTokenExpiredMsg | Your token has expired, please login again
UserAcceesTokenExpiredMsg | Your access token has expired, please refresh the page
UserRoleIsNotAdminMsg | Your user role is not admin, no access to visit this page
NeedAdminPasswordMsg | You need to provide the admin password to access this page
KVNotAvailableMsg | KV is not available, please contact the administrator
DBNotAvailableMsg | DB is not available, please contact the administrator
JWTSecretNotSetMsg | JWT_SECRET is not set, please contact the administrator
WebhookNotEnabledMsg | Webhook is not enabled, please contact the administrator
DomainsNotSetMsg | Domains are not set, please contact the administrator
TurnstileCheckFailedMsg | Human verification check failed
NewAddressDisabledMsg | New address is disabled, please contact the administrator
NewAddressAnonymousDisabledMsg | New address for anonymous user is disabled, please contact the administrator
FailedCreateAddressMsg | Failed to create address
InvalidAddressMsg | Invalid address
InvalidAddressCredentialMsg | Invalid address credential
UserDeleteEmailDisabledMsg | User delete address/email is disabled, please contact the administrator
UserNotFoundMsg | User not found
UserAlreadyExistsMsg | User already exists, please login
FailedToRegisterMsg | Failed to register
UserRegistrationDisabledMsg | User registration is disabled, please contact the administrator
UserMailDomainMustInMsg | User mail domain must be in this list
UserEmailNotMatchRegexMsg | Email address format does not match the required pattern
InvalidVerifyCodeMsg | Invalid verify code
InvalidEmailOrPasswordMsg | Invalid email or password
VerifyMailSenderNotSetMsg | Verify mail sender address is not set, please contact the administrator
CodeAlreadySentMsg | Code already sent, please wait
InvalidUserDefaultRoleMsg | Invalid user default role, please contact the administrator
FailedUpdateUserDefaultRoleMsg | Failed to update user default role, please contact the administrator
Oauth2ClientIDNotFoundMsg | Oauth2 client ID is not set, please contact the administrator
Oauth2CliendIDOrCodeMissingMsg | Oauth2 client ID or code is missing
Oauth2FailedGetUserInfoMsg | Failed to get user info from Oauth2 provider
Oauth2FailedGetAccessTokenMsg | Failed to get access token from Oauth2 provider
Oauth2FailedGetUserEmailMsg | Failed to get user email from Oauth2 provider
PasswordChangeDisabledMsg | Password change is disabled
PasswordLoginDisabledMsg | Password login is disabled
NewPasswordRequiredMsg | New password is required
EmailPasswordRequiredMsg | Email and password are required
InvalidAddressTokenMsg | Invalid address token
FailedUpdatePasswordMsg | Failed to update password
AddressNotFoundMsg | Address not found
OperationFailedMsg | Operation failed
RequiredFieldMsg | Required field is missing
InvalidInputMsg | Invalid input
NameTooShortMsg | Name is too short
NameTooLongMsg | Name is too long
InvalidDomainMsg | Invalid domain
RandomSubdomainNotAllowedMsg | Random subdomain is not enabled for this domain
AddressAlreadyExistsMsg | Address already exists
MaxAddressCountReachedMsg | Max address count reached
AddressNotBindedMsg | Address is not binded
AddressAlreadyBindedMsg | Address is already binded, please unbind first
TargetUserNotFoundMsg | Target user not found
NoBalanceMsg | No balance
AddressBlockedMsg | Address is blocked
SubjectEmptyMsg | Subject is empty
ContentEmptyMsg | Content is empty
AlreadyRequestedMsg | Already requested
EnableResendOrSmtpMsg | Please enable resend or smtp for this domain
EnableResendOrSmtpOrSendMailMsg | Please enable resend, smtp or SEND_MAIL for this domain
ServerSendMailDailyLimitMsg | Server daily send quota has been reached
ServerSendMailMonthlyLimitMsg | Server monthly send quota has been reached
InvalidToMailMsg | Invalid recipient address
InvalidAddressIdMsg | Invalid address_id
EnableKVMsg | Please enable KV first
EnableSendMailMsg | Please enable SEND_MAIL first
EnableSendMailForDomainMsg | Please enable SEND_MAIL for this domain first
InvalidCleanupConfigMsg | Invalid cleanType or cleanDays
InvalidCleanTypeMsg | Invalid cleanType
EnableKVForMailVerifyMsg | Please enable KV first if you want to enable mail verify
VerifyMailDomainInvalidMsg | VerifyMailSender domain must be in
InvalidMaxAddressCountMsg | Invalid maxAddressCount
FailedDeleteUserMsg | Failed to delete user
InvalidUserIdMsg | Invalid user_id
InvalidRoleTextMsg | Invalid role_text
SqlEmptyMsg | SQL statement is empty
SqlTooLongMsg | SQL statement is too long (max 1000 characters)
SqlOnlyDeleteMsg | Only DELETE statements are allowed
SqlSingleStatementMsg | Only single SQL statement is allowed
SqlNoCommentsMsg | SQL comments are not allowed
InvalidPasskeyNameMsg | Invalid passkey name
PasskeyNotFoundMsg | Passkey not found
AuthenticationFailedMsg | Authentication failed
RegistrationFailedMsg | Registration failed
AutoReplyDisabledMsg | Auto reply is disabled
InvalidAutoReplyMsg | Invalid subject or message
SubjectOrMessageTooLongMsg | Subject or message is too long
NoAddressOrUserTokenMsg | No address or user token
InvalidAddressOrUserTokenMsg | Invalid address or user token
InvalidLimitMsg | Invalid limit
InvalidOffsetMsg | Invalid offset
FailedClearInboxMsg | Failed to clear inbox
FailedClearSentItemsMsg | Failed to clear sent items
WebhookNotAllowedForUserMsg | Webhook settings is not allowed for this user
InvalidIpBlacklistSettingMsg | Invalid IP blacklist setting
BlacklistExceedsMaxSizeMsg | Blacklist exceeds maximum size
TgBotTokenRequiredMsg | TELEGRAM_BOT_TOKEN is required
TgNoPermissionViewMailMsg | No permission to view this mail
TgMaxAddressReachedMsg | Maximum address limit reached
TgInvalidCredentialMsg | Invalid credential
TgMaxAddressReachedCleanMsg | Maximum address limit reached, please /cleaninvalidaddress first
TgAddressNotYoursMsg | This address does not belong to you
"""  # noqa: E501 one row a line, as in the contract
TABLE = dict(line.split(" | ", 1) for line in CONTRACT.strip().splitlines())

# The only Chinese texts that the contract fixes.
CHINESE = {
    "ServerSendMailDailyLimitMsg": "服务器今日发信次数已达上限",
    "ServerSendMailMonthlyLimitMsg": "服务器本月发信次数已达上限",
}


def test_every_key_of_the_contract_exists_and_no_other() -> None:
    assert set(MESSAGES) == set(TABLE)


@pytest.mark.parametrize("key", TABLE)
def test_english_is_exactly_the_contract(key: str) -> None:
    assert text(key, "en") == TABLE[key]


@pytest.mark.parametrize("key", TABLE)
def test_every_key_exists_in_chinese(key: str) -> None:
    assert re.search(r"[\u4e00-\u9fff]", text(key, "zh"))


@pytest.mark.parametrize(("key", "chinese"), CHINESE.items())
def test_the_fixed_chinese_texts(key: str, chinese: str) -> None:
    assert text(key, "zh") == chinese


@pytest.mark.parametrize("lang", ["es", "ja", "de", "pt-BR", "", "EN", None])
def test_any_other_language_is_english(lang: str | None) -> None:
    assert text("InvalidLimitMsg", lang) == "Invalid limit"


@pytest.mark.parametrize(
    ("header", "default", "chosen"),
    [
        ("en", None, "en"),
        ("zh", None, "zh"),
        ("zh", "en", "zh"),
        ("en", "zh", "en"),
        ("ja", "zh", "en"),
        ("ZH", None, "en"),
        ("zh-CN", "zh", "en"),
        (None, "zh", "zh"),
        ("", "zh", "zh"),
        (None, None, "en"),
        (None, "fr", "en"),
    ],
)
def test_the_header_wins_over_the_default(
    header: str | None, default: str | None, chosen: str
) -> None:
    assert choose_language(header, default) == chosen


@pytest.mark.parametrize(
    ("detail", "key", "lang", "shown"),
    [
        ("Name is too short (min 3)", "NameTooShortMsg", "zh", "名称太短 (min 3)"),
        ("Name is too short (min 3)", "NameTooShortMsg", "en", "Name is too short (min 3)"),
        ("Invalid domain", "InvalidDomainMsg", "zh", "无效的域名"),
        ("Name[x]is blocked", None, "zh", "Name[x]is blocked"),
        ("something else", "InvalidDomainMsg", "zh", "无效的域名"),
    ],
)
def test_a_refusal_is_shown_in_the_language_of_the_reader(
    detail: str, key: str | None, lang: str, shown: str
) -> None:
    assert localised(detail, key, lang) == shown
