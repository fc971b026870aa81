"""SNS by email: subscriptions that must be confirmed, and messages that arrive.

Subscribing an address sends it a mail with a link. By default the link counts as opened at once, so that a local
set-up is complete without anybody reading mail; `office.auto_confirm = False` (POST /_local/mail) leaves it to
somebody who opens it. Until then the subscription has no ARN and gets nothing, as at AWS.
"""

from __future__ import annotations

import json
import re
import secrets
from collections import deque
from pathlib import Path
from typing import Any

from moto.core.responses import ActionResult
from moto.sns import urls
from moto.sns.exceptions import SNSInvalidParameter, SNSNotFoundError
from moto.sns.models import SNSBackend, Subscription, sns_backends
from moto.sns.responses import SNSResponse

from lib.local import clock
from lib.local.mailbox import Mailbox

__all__ = ["PostOffice", "SNSEndpoint", "install", "office"]

PROTOCOLS = ("email", "email-json")
ADDRESS = re.compile(r"[^\s@<>,;\"]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?")
PENDING = "pending confirmation"
# AWS delivers at most ten mails a second to a subscription; what is above is lost.
MOST_A_SECOND = 10
LARGEST_MESSAGE = 262_144


class PostOffice:
    """Sends mail to the mailbox, and knows whether confirmation links count as opened at once."""

    def __init__(self) -> None:
        self.mailbox = Mailbox()
        self.endpoint = "http://127.0.0.1:4599"
        self.auto_confirm = True
        self.dropped = 0

    def configure(self, folder: Path, endpoint: str) -> None:
        """Deliver into `folder` (made when the first mail comes); links in mails lead to `endpoint`."""
        self.mailbox, self.endpoint = Mailbox(folder), endpoint

    def invite(self, subscription: Any) -> None:
        """Send the mail that asks to confirm a subscription."""
        subscription.local_token = secrets.token_hex(32)
        link = f"{self.endpoint}/_local/mail/confirm?token={subscription.local_token}"
        text = (
            f"You are asked to subscribe to the topic\n{subscription.topic.arn}\n\n"
            f"To confirm, open this link (nothing is sent to you if you do not):\n{link}\n\n"
            "This mail was made by the embedded AWS on this machine; it never left it.\n"
        )
        self.mailbox.deliver(subscription.endpoint, "AWS Notification - Subscription Confirmation", text, clock.now())
        if self.auto_confirm:
            self.confirm(subscription.local_token)

    def confirm(self, token: str) -> Any:
        """Confirm the subscription that was sent this token. Raises KeyError where there is none."""
        for _, _, backend in list(sns_backends.iter_backends()):
            for subscription in list(backend.subscriptions.values()):
                if token and getattr(subscription, "local_token", None) == token:
                    subscription.confirmed = True
                    subscription.attributes["PendingConfirmation"] = False
                    return subscription
        raise KeyError(token)

    def send(self, subscription: Any, subject: str | None, message: str, message_id: str) -> None:
        """Deliver one published message to one confirmed subscriber."""
        now = clock.now()
        sent = subscription.__dict__.setdefault("local_sent", deque(maxlen=MOST_A_SECOND))
        if len(sent) == MOST_A_SECOND and now - sent[0] < 1.0:
            self.dropped += 1
            return
        sent.append(now)
        title = subject or "AWS Notification Message"
        if subscription.protocol == "email-json":
            document = {"Type": "Notification", "MessageId": message_id, "TopicArn": subscription.topic.arn}
            text = json.dumps({**document, "Subject": subject, "Message": message}, indent=2)
        else:
            text = (
                f"{message}\n\n--\n{subscription.endpoint} is subscribed to {subscription.topic.arn}.\n"
                f"To unsubscribe: {self.endpoint}/_local/mail/unsubscribe?arn={subscription.arn}\n"
            )
        self.mailbox.deliver(subscription.endpoint, title, text, now)


office = PostOffice()


def is_pending(subscription: Any) -> bool:
    return subscription.protocol in PROTOCOLS and not subscription.confirmed


def _describe(subscription: Any) -> dict[str, Any]:
    return {
        "SubscriptionArn": "PendingConfirmation" if is_pending(subscription) else subscription.arn,
        "Owner": subscription.owner,
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint,
        "TopicArn": subscription.topic.arn,
    }


class SNSEndpoint(SNSResponse):
    """moto's SNS with confirmation of addresses and AWS's checks of what is published."""

    def subscribe(self) -> ActionResult:
        protocol, endpoint = self._get_param("Protocol"), str(self._get_param("Endpoint") or "")
        if protocol not in PROTOCOLS:
            return super().subscribe()
        if not ADDRESS.fullmatch(endpoint):
            raise SNSInvalidParameter("Invalid parameter: Email address")
        arn = super().subscribe().result["SubscriptionArn"]
        subscription = self.backend.subscriptions[arn]
        known = subscription.confirmed
        if not known:
            subscription.attributes["PendingConfirmation"] = True
            office.invite(subscription)
        asked = str(self._get_param("ReturnSubscriptionArn")).lower() == "true"
        return ActionResult({"SubscriptionArn": arn if known or asked else PENDING})

    def confirm_subscription(self) -> ActionResult:
        topic_arn = self._get_param("TopicArn")
        if topic_arn not in self.backend.topics:
            raise SNSNotFoundError("Topic does not exist")
        try:
            subscription = office.confirm(str(self._get_param("Token") or ""))
        except KeyError:
            raise SNSInvalidParameter("Invalid parameter: Token") from None
        return ActionResult({"SubscriptionArn": subscription.arn})

    def unsubscribe(self) -> ActionResult:
        arn = str(self._get_param("SubscriptionArn") or "")
        if arn.count(":") < 6:
            raise SNSInvalidParameter(
                "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, "
                f"not {arn.count(':') + 1}"
            )
        return super().unsubscribe()

    def list_subscriptions(self) -> ActionResult:
        return self._described(super().list_subscriptions())

    def list_subscriptions_by_topic(self) -> ActionResult:
        return self._described(super().list_subscriptions_by_topic())

    def _described(self, listed: Any) -> ActionResult:
        found = [_describe(subscription) for subscription in listed.result["Subscriptions"]]
        return ActionResult({**listed.result, "Subscriptions": found})

    def get_topic_attributes(self) -> ActionResult:
        attributes = super().get_topic_attributes().result["Attributes"]
        arn = attributes["TopicArn"]
        held = [is_pending(one) for one in list(self.backend.subscriptions.values()) if one.topic.arn == arn]
        counts = {"SubscriptionsPending": sum(held), "SubscriptionsConfirmed": len(held) - sum(held)}
        return ActionResult({"Attributes": {**attributes, **{key: str(count) for key, count in counts.items()}}})

    def publish(self) -> ActionResult:
        check_message(self._get_param("Message"), self._get_param("Subject"), self._get_param("MessageStructure"))
        return super().publish()


def check_message(message: str | None, subject: str | None, structure: str | None) -> None:
    """Raises InvalidParameter as AWS does."""
    if not message:
        raise SNSInvalidParameter("Invalid parameter: Empty message")
    if len(message.encode()) > LARGEST_MESSAGE:
        raise SNSInvalidParameter("Invalid parameter: Message too long")
    if subject is not None and (
        not 1 <= len(subject) < 100 or any(ord(char) < 32 or ord(char) == 127 for char in subject)
    ):
        raise SNSInvalidParameter("Invalid parameter: Subject")
    if structure == "json":
        try:
            parts = json.loads(message)
        except ValueError:
            raise SNSInvalidParameter(
                "Invalid parameter: Message Structure - JSON message body failed to parse"
            ) from None
        if not isinstance(parts, dict) or not isinstance(parts.get("default"), str):
            raise SNSInvalidParameter("Invalid parameter: Message Structure - No default entry in JSON message body")


_moto_publish = Subscription.publish
_moto_reset = SNSBackend.reset


def _publish(subscription: Any, message: str, message_id: str, subject: str | None = None, **rest: Any) -> None:
    """To an address: the email part of the message, if the subscription is confirmed and its filter lets it by."""
    if subscription.protocol not in PROTOCOLS:
        _moto_publish(subscription, message, message_id, subject=subject, **rest)
        return
    matcher = subscription._filter_policy_matcher
    if not subscription.confirmed or (matcher and not matcher.matches(rest.get("message_attributes"), message)):
        return
    if rest.get("message_structure") == "json":
        parts = json.loads(message)
        message = parts.get(subscription.protocol) or parts["default"]
    office.send(subscription, subject, message, message_id)


def _reset(backend: Any) -> None:
    """moto's reset empties the mailbox too."""
    _moto_reset(backend)
    office.mailbox.clear()
    office.auto_confirm, office.dropped = True, 0


def install() -> None:
    """Put our endpoint and delivery in the place of moto's. Idempotent; before the first request."""
    urls.url_paths["{0}/$"] = SNSEndpoint.dispatch
    Subscription.publish = _publish
    SNSBackend.reset = _reset
