"""What the bot says, in English and Chinese. The wording is ours (mailbox-api §6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailbox_service.core.texts import Language

SAYINGS: dict[str, tuple[str, str]] = {
    "not_allowed": ("You may not use this bot.", "您无权使用此机器人。"),
    "welcome": (
        "Welcome! This bot opens mailboxes for you and tells you of new mail.",
        "欢迎！此机器人可以为您创建邮箱，并在收到新邮件时通知您。",
    ),
    "prefix": ("Prefix of names: {0}", "名称前缀：{0}"),
    "domains": ("Domains: {0}", "可用域名：{0}"),
    "commands": ("Commands:", "命令："),
    "created": ("New address:", "已创建地址："),
    "password": ("Password: {0}", "密码：{0}"),
    "credential": ("Credential: {0}", "凭证：{0}"),
    "not_created": ("The address was not created: {0}", "创建地址失败：{0}"),
    "addresses": ("Your addresses:", "您的地址："),
    "no_addresses": (
        "You have no address yet. /new opens one.",
        "您还没有地址，使用 /new 创建一个。",
    ),
    "invalid_address": ("invalid address / invalid credential", "无效的地址 / 无效的凭证"),
    "bound": ("Bound: {0}", "绑定成功：{0}"),
    "bind_how": ("Send /bind and the credential of an address.", "请发送 /bind 和地址凭证。"),
    "unbound": ("No longer bound: {0}", "已解绑：{0}"),
    "unbind_how": ("Send /unbind and an address.", "请发送 /unbind 和地址。"),
    "deleted": ("Deleted with all its mail: {0}", "已删除地址及其全部邮件：{0}"),
    "delete_how": ("Send /delete and an address.", "请发送 /delete 和地址。"),
    "cleaned": ("Invalid addresses removed: {0}", "已清理无效地址数：{0}"),
    "no_mail": ("There is no mail.", "没有邮件。"),
    "failed": ("This did not work: {0}", "操作失败：{0}"),
    "language_set": ("The language is English now.", "语言已设置为中文。"),
    "language_how": ("Send /lang en or /lang zh.", "请发送 /lang zh 或 /lang en。"),
    "language_off": (
        "The language cannot be chosen here.",
        "此处不能选择语言。",
    ),
    "unknown": ("I do not know this command. /start lists them.", "未知命令，/start 查看命令。"),
    "previous": ("Previous", "上一封"),
    "view": ("View mail", "查看邮件"),
    "next": ("Next", "下一封"),
    "no_content": ("No text. Open the mail to see it.", "无文本内容，请打开邮件查看。"),
    "cut": (
        "The text was cut. Open the mail to see all of it.",
        "内容过长已截断，请打开邮件查看全文。",
    ),
    "auth_code": ("Verification code", "验证码"),
    "auth_link": ("Sign-in link", "认证链接"),
    "service_link": ("Service link", "服务链接"),
    "subscription_link": ("Subscription link", "订阅链接"),
    "other_link": ("Link", "链接"),
}


@dataclass(frozen=True, slots=True)
class BotCommand:
    """A command, in the words of the list that Telegram shows."""

    name: str
    english: str
    chinese: str

    @property
    def description(self) -> str:
        return f"{self.chinese} | {self.english}"


COMMANDS = (
    BotCommand("start", "Begin", "开始使用"),
    BotCommand("new", "Open an address: /new name@domain", "创建地址，例如 /new name@domain"),
    BotCommand("address", "List your addresses", "查看已绑定的地址"),
    BotCommand("bind", "Bind an address: /bind credential", "绑定地址，例如 /bind 凭证"),
    BotCommand("unbind", "Unbind an address: /unbind address", "解绑地址，例如 /unbind 地址"),
    BotCommand("delete", "Delete an address: /delete address", "删除地址，例如 /delete 地址"),
    BotCommand("mails", "Show mail: /mails address", "查看邮件，例如 /mails 地址"),
    BotCommand("cleaninvalidaddress", "Remove invalid addresses", "清理无效的地址"),
)
LANGUAGE_COMMAND = BotCommand("lang", "Choose the language: /lang en", "设置语言，例如 /lang zh")


def commands(*, with_language: bool) -> Sequence[BotCommand]:
    """The commands that there are."""
    return (*COMMANDS, LANGUAGE_COMMAND) if with_language else COMMANDS


def say(key: str, language: Language, *values: object) -> str:
    """A saying of the bot in a language."""
    english, chinese = SAYINGS[key]
    return (chinese if language == "zh" else english).format(*values)


def bot_language(chosen: str | None, default: str) -> Language:
    """A user's choice, else `DEFAULT_LANG`, else Chinese (mailbox-api §13.1)."""
    if chosen in ("zh", "en"):
        return "zh" if chosen == "zh" else "en"
    return "zh" if default.strip().lower() in ("", "zh") else "en"
