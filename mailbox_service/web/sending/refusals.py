"""The one table from a kind of refusal to status, code and shape (§1.3, §1.4)."""

from __future__ import annotations

from typing import Any

from mailbox_service.core import errors
from mailbox_service.core.errors import BadCredential, MailError, TemporaryFailure
from mailbox_service.core.sending_api import BadField, EndpointDenied
from mailbox_service.services.sending_api.api_keys import MalformedKey
from mailbox_service.web.errors import COME_BACK_AFTER

CODE = "E_ApiResponseCodes."
API_EXCEPTION = CODE + "API_EXCEPTION"
BAD_PAYLOAD = CODE + "NON_VALIDATING_IN_PAYLOAD"
DENIED = CODE + "ENDPOINT_PERMISSION_DENIED"
LIMITED = CODE + "REQ_LIMIT_EXCEEDED"

# Kind of refusal -> status and code; a kind without a line answers like its parent (§1.4).
ANSWERS: dict[type[MailError], tuple[int, str]] = {
    MailError: (400, API_EXCEPTION),
    BadField: (400, BAD_PAYLOAD),
    BadCredential: (401, API_EXCEPTION),
    MalformedKey: (401, BAD_PAYLOAD),
    EndpointDenied: (403, DENIED),
    errors.QuotaReached: (402, API_EXCEPTION),
    errors.NoChannel: (402, API_EXCEPTION),
    errors.MessageTooBig: (413, API_EXCEPTION),
    errors.Conflict: (409, API_EXCEPTION),
    errors.TooManyRequests: (429, LIMITED),
    errors.TemporaryFailure: (503, API_EXCEPTION),
}


def worded(error: MailError) -> tuple[int, dict[str, Any], float]:
    """Status, data and seconds to wait of a refusal."""
    status, code = next(ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS)
    retry = 0.0
    if isinstance(error, errors.TooManyRequests):
        retry = error.retry_after
    elif isinstance(error, TemporaryFailure):
        retry = COME_BACK_AFTER
    return status, data_of(error, code), retry


def data_of(error: MailError, code: str = "") -> dict[str, Any]:
    """The `data` of a refusal, as it also stands in the place of a batch's failed item."""
    code = code or next(ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS)[1]
    field = error.field if isinstance(error, BadField) else None
    if isinstance(error, MalformedKey):
        field = "api_key"
    return error_data(error.detail, code, field)


def error_data(words: str, code: str, field: str | None = None) -> dict[str, Any]:
    """An error, always an object (§1.3)."""
    data: dict[str, Any] = {"error": words[:1_000], "error_code": code}
    if field is not None:
        data["field_validation_errors"] = {"fieldname": field, "message": words[:1_000]}
        data["error"] = f"{field}: {words[:1_000]}" if field else words[:1_000]
    return data
