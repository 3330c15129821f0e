"""Sender domains (sending-api §8.3)."""

from __future__ import annotations

from typing import Any

from mailbox_service.services.sending_api.domains import (
    DomainAccess,
    DomainAdd,
    DomainName,
    DomainRename,
    DomainVerify,
    DomainView,
    ShownDomain,
)
from mailbox_service.web.sending.rows import Row


def names(fulldomain: str, subdomain: str | None) -> dict[str, Any]:
    """A name in its parts."""
    base = fulldomain if subdomain is None else fulldomain.removeprefix(f"{subdomain}.")
    domain, _, suffix = base.partition(".")
    return {
        "fulldomain": fulldomain,
        "subdomain": subdomain,
        "domain": domain,
        "suffix": suffix,
    }


def domain(one: ShownDomain) -> dict[str, Any]:
    """A domain with all that DNS should say; `dkim_record` is for those without a CNAME."""
    value = one.value
    return {
        "domain": {
            **names(one.name, None),
            "dkim_selector": value.dkim_selector,
            "dkim_verified": value.dkim_verified,
            "dkim_status": value.dkim_status,
            "dkim_value": one.dkim_target,
            "dkim_record": one.dkim_record,
            "rpath_selector": value.rpath_selector,
            "rpath_verified": value.rpath_verified,
            "rpath_status": value.rpath_status,
            "rpath_value": one.return_target,
        },
        "trackers": [
            {
                **names(f"{value.tracking_subdomain}.{one.name}", value.tracking_subdomain),
                "cname_verified": value.cname_verified,
                "cname_status": value.cname_status,
                "cname_value": one.tracking_target,
                "enabled": value.cname_verified,
            }
        ],
        "subaccount_access": {
            "subaccounts": value.subaccounts,
            "future_subaccounts": value.future_subaccounts,
        },
    }


def domains(found: list[ShownDomain]) -> dict[str, Any]:
    """All that there are."""
    shown = [domain(one) for one in found]
    for one in shown:
        one["domain"]["setup_link"] = "" if len(shown) == 1 else "unavailable"
    return {"domains": shown}


def viewed(found: list[ShownDomain]) -> dict[str, Any]:
    """All that there are, and which of them the master shares."""
    data = domains(found)
    for shown, one in zip(data["domains"], found, strict=True):
        shown["from_master"] = one.from_master
    return data


def access(one: ShownDomain) -> dict[str, Any]:
    """Who else may use a domain."""
    return {
        "domain": one.name,
        "subaccounts": one.value.subaccounts,
        "future_subaccounts": one.value.future_subaccounts,
    }


ROWS = (
    Row("domain/add", DomainAdd, lambda api: api.domains.add, domains),
    Row("domain/verify", DomainVerify, lambda api: api.domains.verify, domains),
    Row("domain/remove", DomainName, lambda api: api.domains.remove, domains),
    Row("domain/view", DomainView, lambda api: api.domains.view, viewed, only_asks=True),
    Row("domain/returnpath", DomainRename, lambda api: api.domains.returnpath, domains),
    Row("domain/tracking", DomainRename, lambda api: api.domains.tracking, domains),
    Row("domain/subaccount_access", DomainAccess, lambda api: api.domains.access, access),
)
