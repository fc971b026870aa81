"""The /_local endpoints for mail, pacing, control faults and quotas. The server routes to them by method and path.

| call | body | answer |
|---|---|---|
| GET /_local/mail | | {"auto_confirm", "dropped", "mails": [{"file", "to", "subject", "date"}]} |
| POST /_local/mail | {"auto_confirm": false} | the same |
| DELETE /_local/mail | | empties the mailbox |
| GET /_local/mail/confirm?token= | | a page: the subscription is confirmed |
| GET /_local/mail/unsubscribe?arn= | | a page: the subscription is gone |
| GET, POST /_local/pacing | {"on": true} | {"on", "refused"} |
| GET, POST /_local/control_faults | [{"service", "operation", "call", "fault"}] | {"calls": [[service, operation]]} |
| POST /_local/quotas | {"service", "code", "value", "account"?, "region"?} | the same |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

from lib.local.control_faults import control_faults
from lib.local.mail import office
from lib.local.pacing import pacing
from lib.local.quotas import set_quota

__all__ = ["ROUTES", "Answer", "Handler"]


class Answer(NamedTuple):
    """One HTTP answer."""

    status: int
    content_type: str
    body: bytes


# (query parameters, body) -> answer
Handler = Callable[[Mapping[str, str], bytes], Answer]


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, "application/json", json.dumps(value).encode())


def _page(status: int, sentence: str) -> Answer:
    page = f'<!doctype html><html lang="en"><title>Embedded AWS</title><p>{sentence}</p></html>'
    return Answer(status, "text/html; charset=utf-8", page.encode())


def _checked(handler: Callable[[Mapping[str, str], Any], Answer]) -> Handler:
    """A handler that gets the parsed body; nonsense is answered with 400 and a reason."""

    def handle(query: Mapping[str, str], body: bytes) -> Answer:
        try:
            return handler(query, json.loads(body or b"null"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _json({"error": str(error) or type(error).__name__}, 400)

    return handle


def _show_mail(query: Mapping[str, str], body: Any) -> Answer:
    if body is not None:
        office.auto_confirm = bool(body["auto_confirm"])
    mails = []
    for name in office.mailbox.names():
        message = office.mailbox.read(name)
        mails.append({"file": name, **{key: str(message[key]) for key in ("To", "Subject", "Date")}})
    mails = [{key.lower(): value for key, value in mail.items()} for mail in mails]
    return _json({"auto_confirm": office.auto_confirm, "dropped": office.dropped, "mails": mails})


def _clear_mail(query: Mapping[str, str], body: Any) -> Answer:
    office.mailbox.clear()
    return _json({})


def _confirm(query: Mapping[str, str], body: Any) -> Answer:
    try:
        subscription = office.confirm(query.get("token", ""))
    except KeyError:
        return _page(404, "No subscription waits for this confirmation.")
    return _page(200, f"{subscription.endpoint} is now subscribed to {subscription.topic.arn}.")


def _unsubscribe(query: Mapping[str, str], body: Any) -> Answer:
    arn = query.get("arn", "")
    for _, _, backend in list(sns_backends.iter_backends()):
        if arn in backend.subscriptions:
            backend.unsubscribe(arn)
            return _page(200, "The subscription is gone.")
    return _page(404, "There is no such subscription.")


def _pace(query: Mapping[str, str], body: Any) -> Answer:
    if body is not None:
        pacing.switch(bool(body["on"]))
    return _json({"on": pacing.on, "refused": pacing.refused})


def _fail(query: Mapping[str, str], body: Any) -> Answer:
    if body is not None:
        control_faults.set(body)
    return _json({"calls": list(control_faults.calls)})


def _limit(query: Mapping[str, str], body: Any) -> Answer:
    account, region = str(body.get("account", DEFAULT_ACCOUNT_ID)), str(body.get("region", "us-east-1"))
    set_quota(account, region, str(body["service"]), str(body["code"]), float(body["value"]))
    return _json(body)


ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "/_local/mail"): _checked(_show_mail),
    ("POST", "/_local/mail"): _checked(_show_mail),
    ("DELETE", "/_local/mail"): _checked(_clear_mail),
    ("GET", "/_local/mail/confirm"): _checked(_confirm),
    ("GET", "/_local/mail/unsubscribe"): _checked(_unsubscribe),
    ("GET", "/_local/pacing"): _checked(_pace),
    ("POST", "/_local/pacing"): _checked(_pace),
    ("GET", "/_local/control_faults"): _checked(_fail),
    ("POST", "/_local/control_faults"): _checked(_fail),
    ("POST", "/_local/quotas"): _checked(_limit),
}
