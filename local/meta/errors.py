"""What Meta's Graph API answers when it refuses: code -> HTTP status, title and details.

Source: "Cloud API error codes" of the WhatsApp Business Platform and "Handling errors" of the Graph API.
"""

import secrets
from dataclasses import dataclass

from local.payloads import Json


@dataclass(frozen=True)
class GraphError:
    """One row of the table. `details` is empty for errors of the Graph API itself, which carry no error_data."""

    code: int
    http_status: int
    title: str
    details: str = ""
    kind: str = "OAuthException"
    subcode: int | None = None
    numbered: bool = True  # whether the message begins with "(#code) "


_TABLE = (
    GraphError(0, 401, "AuthException", "We were unable to authenticate the app user."),
    GraphError(1, 400, "An unknown error occurred"),
    GraphError(2, 503, "Service temporarily unavailable"),
    GraphError(3, 500, "API Method", "Capability or permissions issue."),
    GraphError(4, 400, "Application request limit reached"),
    GraphError(10, 403, "Application does not have permission for this action"),
    GraphError(100, 400, "Invalid parameter"),
    GraphError(104, 401, "An access token is required to request this resource.", numbered=False),
    GraphError(190, 401, "Invalid OAuth access token - Cannot parse access token", numbered=False),
    GraphError(368, 403, "Temporarily blocked for policies violations", "The account has been restricted."),
    GraphError(2500, 400, "Unknown path components", numbered=False),
    GraphError(80007, 400, "Rate limit issues", "The account has reached its rate limit."),
    GraphError(130429, 400, "Rate limit hit", "Cloud API message throughput has been reached."),
    GraphError(
        130472,
        400,
        "User's number is part of an experiment",
        "Failed to send message because this user's phone number is part of an experiment",
    ),
    GraphError(130497, 403, "Business account is restricted from messaging users in this country."),
    GraphError(131000, 500, "Something went wrong", "Message failed to send due to an unknown error."),
    GraphError(131005, 403, "Access denied", "Permission is either not granted or has been removed."),
    GraphError(131008, 400, "Required parameter is missing", "The request is missing a required parameter."),
    GraphError(131009, 400, "Parameter value is not valid", "One or more parameter values are invalid."),
    GraphError(131016, 500, "Service unavailable", "A service is temporarily unavailable."),
    GraphError(131021, 400, "Recipient cannot be sender", "Sender and recipient phone number is the same."),
    GraphError(131026, 400, "Message undeliverable", "Unable to deliver message."),
    GraphError(131030, 400, "Recipient phone number not in allowed list", "Add the recipient to the allowed list."),
    GraphError(131031, 403, "Account has been locked", "The account has been restricted or disabled."),
    GraphError(131037, 400, "Display name approval needed", "The number needs an approved display name."),
    GraphError(131042, 400, "Business eligibility payment issue", "There is an error related to your payment method."),
    GraphError(131045, 500, "Incorrect certificate", "The phone number registration failed."),
    GraphError(
        131047,
        400,
        "Re-engagement message",
        "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
    ),
    GraphError(131048, 400, "Spam rate limit hit", "There are restrictions on how many messages can be sent."),
    GraphError(131049, 400, "Meta chose not to deliver", "Not delivered to maintain healthy ecosystem engagement."),
    GraphError(131050, 400, "User stopped marketing messages", "The recipient chose to stop marketing messages."),
    GraphError(131051, 400, "Unsupported message type", "Message type is not supported."),
    GraphError(131052, 400, "Media download error", "Unable to download the media sent by the user."),
    GraphError(131053, 400, "Media upload error", "Unable to upload the media used in the message."),
    GraphError(
        131056,
        400,
        "(Business Account, Consumer Account) pair rate limit hit",
        "Message failed to send because there were too many messages sent from this phone number to the same phone "
        "number in a short period of time.",
    ),
    GraphError(131057, 500, "Account in maintenance mode", "The business account is in maintenance mode."),
    GraphError(132000, 400, "Number of parameters does not match the expected number of params"),
    GraphError(132001, 404, "Template name does not exist in the translation"),
    GraphError(133016, 400, "Account register deregister rate limit exceeded"),
    GraphError(135000, 400, "Generic user error", "Message failed to send because of an unknown error."),
)

ERRORS = {error.code: error for error in _TABLE}

# Two refusals share their code with a row above and differ by subcode.
UNKNOWN_OBJECT = GraphError(
    100,
    400,
    "Unsupported request. Object does not exist, cannot be loaded due to missing permissions, or does not support "
    "this operation",
    kind="GraphMethodException",
    subcode=33,
    numbered=False,
)
OUTSIDE_MESSENGER_WINDOW = GraphError(10, 400, "This message is sent outside of allowed window.", subcode=2534022)


def error_body(error: GraphError, reason: str | None = None) -> Json:
    """The JSON that the Graph API answers; `reason` takes the place of the table's title in the message."""
    message = reason or error.title
    if error.numbered:
        message = f"(#{error.code}) {message}"
    body: Json = {"message": message, "type": error.kind, "code": error.code}
    if error.subcode is not None:
        body["error_subcode"] = error.subcode
    if error.details:
        body["error_data"] = {"messaging_product": "whatsapp", "details": error.details}
    return {"error": body | {"fbtrace_id": "A" + secrets.token_urlsafe(16)}}
