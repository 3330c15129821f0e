"""What the service says to people, in English and Chinese.

The English texts are a promise: existing clients compare some of them (mailbox-api §6), so
they never change, misspellings of the keys included.
"""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "zh"]

# key: (English, Chinese)
MESSAGES: dict[str, tuple[str, str]] = {
    # The service itself
    "CustomAuthPasswordMsg": (
        "You have enabled the private site password, please provide the password",
        "本站已启用私有访问密码，请提供密码",
    ),
    "UserTokenExpiredMsg": (
        "Your token has expired, please login again",
        "您的令牌已过期，请重新登录",
    ),
    "UserAcceesTokenExpiredMsg": (
        "Your access token has expired, please refresh the page",
        "您的访问令牌已过期，请刷新页面",
    ),
    "UserRoleIsNotAdminMsg": (
        "Your user role is not admin, no access to visit this page",
        "您的用户角色不是管理员，无权访问此页面",
    ),
    "NeedAdminPasswordMsg": (
        "You need to provide the admin password to access this page",
        "访问此页面需要提供管理员密码",
    ),
    "KVNotAvailableMsg": (
        "KV is not available, please contact the administrator",
        "KV 不可用，请联系管理员",
    ),
    "DBNotAvailableMsg": (
        "DB is not available, please contact the administrator",
        "数据库不可用，请联系管理员",
    ),
    "JWTSecretNotSetMsg": (
        "JWT_SECRET is not set, please contact the administrator",
        "未设置 JWT_SECRET，请联系管理员",
    ),
    "WebhookNotEnabledMsg": (
        "Webhook is not enabled, please contact the administrator",
        "Webhook 未启用，请联系管理员",
    ),
    "DomainsNotSetMsg": (
        "Domains are not set, please contact the administrator",
        "未设置域名，请联系管理员",
    ),
    "TurnstileCheckFailedMsg": ("Human verification check failed", "人机验证失败"),
    # Opening and holding an address
    "NewAddressDisabledMsg": (
        "New address is disabled, please contact the administrator",
        "新建邮箱地址已被禁用，请联系管理员",
    ),
    "NewAddressAnonymousDisabledMsg": (
        "New address for anonymous user is disabled, please contact the administrator",
        "匿名用户新建邮箱地址已被禁用，请联系管理员",
    ),
    "FailedCreateAddressMsg": ("Failed to create address", "创建邮箱地址失败"),
    "InvalidAddressMsg": ("Invalid address", "无效的邮箱地址"),
    "InvalidAddressCredentialMsg": ("Invalid address credential", "无效的邮箱地址凭证"),
    "UserDeleteEmailDisabledMsg": (
        "User delete address/email is disabled, please contact the administrator",
        "用户删除地址或邮件已被禁用，请联系管理员",
    ),
    # Accounts
    "UserNotFoundMsg": ("User not found", "用户不存在"),
    "UserAlreadyExistsMsg": ("User already exists, please login", "用户已存在，请登录"),
    "FailedToRegisterMsg": ("Failed to register", "注册失败"),
    "UserRegistrationDisabledMsg": (
        "User registration is disabled, please contact the administrator",
        "用户注册已被禁用，请联系管理员",
    ),
    "UserMailDomainMustInMsg": (
        "User mail domain must be in this list",
        "用户邮箱域名必须在此列表中",
    ),
    "UserEmailNotMatchRegexMsg": (
        "Email address format does not match the required pattern",
        "邮箱地址格式不符合要求",
    ),
    "InvalidVerifyCodeMsg": ("Invalid verify code", "验证码无效"),
    "InvalidEmailOrPasswordMsg": ("Invalid email or password", "邮箱或密码错误"),
    "VerifyMailSenderNotSetMsg": (
        "Verify mail sender address is not set, please contact the administrator",
        "未设置验证邮件的发件地址，请联系管理员",
    ),
    "CodeAlreadySentMsg": ("Code already sent, please wait", "验证码已发送，请稍候"),
    "InvalidUserDefaultRoleMsg": (
        "Invalid user default role, please contact the administrator",
        "用户默认角色无效，请联系管理员",
    ),
    "FailedUpdateUserDefaultRoleMsg": (
        "Failed to update user default role, please contact the administrator",
        "更新用户默认角色失败，请联系管理员",
    ),
    "Oauth2ClientIDNotFoundMsg": (
        "Oauth2 client ID is not set, please contact the administrator",
        "未设置 Oauth2 客户端 ID，请联系管理员",
    ),
    "Oauth2CliendIDOrCodeMissingMsg": (
        "Oauth2 client ID or code is missing",
        "缺少 Oauth2 客户端 ID 或授权码",
    ),
    "Oauth2FailedGetUserInfoMsg": (
        "Failed to get user info from Oauth2 provider",
        "从 Oauth2 提供方获取用户信息失败",
    ),
    "Oauth2FailedGetAccessTokenMsg": (
        "Failed to get access token from Oauth2 provider",
        "从 Oauth2 提供方获取访问令牌失败",
    ),
    "Oauth2FailedGetUserEmailMsg": (
        "Failed to get user email from Oauth2 provider",
        "从 Oauth2 提供方获取用户邮箱失败",
    ),
    "PasswordChangeDisabledMsg": ("Password change is disabled", "修改密码功能已被禁用"),
    "PasswordLoginDisabledMsg": ("Password login is disabled", "密码登录功能已被禁用"),
    "NewPasswordRequiredMsg": ("New password is required", "请填写新密码"),
    "EmailPasswordRequiredMsg": ("Email and password are required", "请填写邮箱和密码"),
    "InvalidAddressTokenMsg": ("Invalid address token", "无效的地址令牌"),
    "FailedUpdatePasswordMsg": ("Failed to update password", "更新密码失败"),
    "AddressNotFoundMsg": ("Address not found", "邮箱地址不存在"),
    "OperationFailedMsg": ("Operation failed", "操作失败"),
    "RequiredFieldMsg": ("Required field is missing", "缺少必填字段"),
    "InvalidInputMsg": ("Invalid input", "输入无效"),
    "NameTooShortMsg": ("Name is too short", "名称太短"),
    "NameTooLongMsg": ("Name is too long", "名称太长"),
    "InvalidDomainMsg": ("Invalid domain", "无效的域名"),
    "RandomSubdomainNotAllowedMsg": (
        "Random subdomain is not enabled for this domain",
        "此域名未启用随机子域名",
    ),
    "AddressAlreadyExistsMsg": ("Address already exists", "邮箱地址已存在"),
    "MaxAddressCountReachedMsg": ("Max address count reached", "已达到邮箱地址数量上限"),
    "AddressNotBindedMsg": ("Address is not binded", "邮箱地址未绑定"),
    "AddressAlreadyBindedMsg": (
        "Address is already binded, please unbind first",
        "邮箱地址已被绑定，请先解绑",
    ),
    "TargetUserNotFoundMsg": ("Target user not found", "目标用户不存在"),
    # Sending
    "NoBalanceMsg": ("No balance", "余额不足"),
    "AddressBlockedMsg": ("Address is blocked", "收件地址已被屏蔽"),
    "SubjectEmptyMsg": ("Subject is empty", "主题不能为空"),
    "ContentEmptyMsg": ("Content is empty", "内容不能为空"),
    "AlreadyRequestedMsg": ("Already requested", "已经申请过了"),
    "EnableResendOrSmtpMsg": (
        "Please enable resend or smtp for this domain",
        "请先为此域名启用 resend 或 smtp",
    ),
    "EnableResendOrSmtpOrSendMailMsg": (
        "Please enable resend, smtp or SEND_MAIL for this domain",
        "请先为此域名启用 resend、smtp 或 SEND_MAIL",
    ),
    "ServerSendMailDailyLimitMsg": (
        "Server daily send quota has been reached",
        "服务器今日发信次数已达上限",
    ),
    "ServerSendMailMonthlyLimitMsg": (
        "Server monthly send quota has been reached",
        "服务器本月发信次数已达上限",
    ),
    "InvalidToMailMsg": ("Invalid recipient address", "无效的收件地址"),
    "InvalidAddressIdMsg": ("Invalid address_id", "无效的 address_id"),
    "EnableKVMsg": ("Please enable KV first", "请先启用 KV"),
    "EnableSendMailMsg": ("Please enable SEND_MAIL first", "请先启用 SEND_MAIL"),
    "EnableSendMailForDomainMsg": (
        "Please enable SEND_MAIL for this domain first",
        "请先为此域名启用 SEND_MAIL",
    ),
    # Administration
    "InvalidCleanupConfigMsg": ("Invalid cleanType or cleanDays", "无效的 cleanType 或 cleanDays"),
    "InvalidCleanTypeMsg": ("Invalid cleanType", "无效的 cleanType"),
    "EnableKVForMailVerifyMsg": (
        "Please enable KV first if you want to enable mail verify",
        "启用邮件验证前请先启用 KV",
    ),
    "VerifyMailDomainInvalidMsg": (
        "VerifyMailSender domain must be in",
        "验证邮件的发件域名必须属于",
    ),
    "InvalidMaxAddressCountMsg": ("Invalid maxAddressCount", "无效的 maxAddressCount"),
    "FailedDeleteUserMsg": ("Failed to delete user", "删除用户失败"),
    "InvalidUserIdMsg": ("Invalid user_id", "无效的 user_id"),
    "InvalidRoleTextMsg": ("Invalid role_text", "无效的 role_text"),
    "SqlEmptyMsg": ("SQL statement is empty", "SQL 语句为空"),
    "SqlTooLongMsg": (
        "SQL statement is too long (max 1000 characters)",
        "SQL 语句过长（最多 1000 个字符）",
    ),
    "SqlOnlyDeleteMsg": ("Only DELETE statements are allowed", "只允许 DELETE 语句"),
    "SqlSingleStatementMsg": ("Only single SQL statement is allowed", "只允许单条 SQL 语句"),
    "SqlNoCommentsMsg": ("SQL comments are not allowed", "不允许 SQL 注释"),
    # Passkeys
    "InvalidPasskeyNameMsg": ("Invalid passkey name", "无效的通行密钥名称"),
    "PasskeyNotFoundMsg": ("Passkey not found", "通行密钥不存在"),
    "AuthenticationFailedMsg": ("Authentication failed", "认证失败"),
    "RegistrationFailedMsg": ("Registration failed", "注册失败"),
    # Reading
    "AutoReplyDisabledMsg": ("Auto reply is disabled", "自动回复已被禁用"),
    "InvalidAutoReplyMsg": ("Invalid subject or message", "无效的主题或内容"),
    "SubjectOrMessageTooLongMsg": ("Subject or message is too long", "主题或内容过长"),
    "NoAddressOrUserTokenMsg": ("No address or user token", "缺少地址令牌或用户令牌"),
    "InvalidAddressOrUserTokenMsg": (
        "Invalid address or user token",
        "无效的地址令牌或用户令牌",
    ),
    "InvalidLimitMsg": ("Invalid limit", "无效的 limit"),
    "InvalidOffsetMsg": ("Invalid offset", "无效的 offset"),
    "FailedClearInboxMsg": ("Failed to clear inbox", "清空收件箱失败"),
    "FailedClearSentItemsMsg": ("Failed to clear sent items", "清空发件箱失败"),
    "WebhookNotAllowedForUserMsg": (
        "Webhook settings is not allowed for this user",
        "此用户不允许设置 Webhook",
    ),
    "InvalidIpBlacklistSettingMsg": ("Invalid IP blacklist setting", "无效的 IP 黑名单设置"),
    "BlacklistExceedsMaxSizeMsg": ("Blacklist exceeds maximum size", "黑名单超出最大数量"),
    # Telegram
    "TgBotTokenRequiredMsg": ("TELEGRAM_BOT_TOKEN is required", "需要设置 TELEGRAM_BOT_TOKEN"),
    "TgNoPermissionViewMailMsg": ("No permission to view this mail", "无权查看此邮件"),
    "TgMaxAddressReachedMsg": ("Maximum address limit reached", "已达到地址数量上限"),
    "TgInvalidCredentialMsg": ("Invalid credential", "无效的凭证"),
    "TgMaxAddressReachedCleanMsg": (
        "Maximum address limit reached, please /cleaninvalidaddress first",
        "已达到地址数量上限，请先 /cleaninvalidaddress",
    ),
    "TgAddressNotYoursMsg": ("This address does not belong to you", "此地址不属于您"),
}


def choose_language(header: str | None, default: str | None = None) -> Language:
    """The language of one answer: `x-lang` when sent, else `DEFAULT_LANG` (mailbox-api §1.3).

    Only `en` and `zh` are known, spelled so; a header that names anything else gets English.
    """
    return "zh" if (header or (default or "").strip().lower()) == "zh" else "en"


def text(key: str, lang: str | None = "en") -> str:
    """The message named `key` in `lang`; any language but `zh` is English. KeyError if unknown."""
    english, chinese = MESSAGES[key]
    return chinese if lang == "zh" else english


def localised(detail: str, key: str | None, lang: str | None) -> str:
    """`detail` of a refusal in `lang`. It begins with the English text of `key` and may go on,
    as in `Name is too short (min 3)`; what follows is kept. Without a key it stays as it is."""
    if key is None:
        return detail
    rest = detail.removeprefix(text(key))
    return text(key, lang) + (rest if rest != detail else "")
