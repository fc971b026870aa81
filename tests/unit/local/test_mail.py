"""SNS mail: the handshake of confirmation, real messages, one for each publish, not more than ten a second."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lib.local import admin, clock
from lib.local.mail import office
from lib.local.mailbox import Mailbox

Aws = Callable[[str], Any]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    office.configure(tmp_path / "mail", "http://127.0.0.1:4599")
    yield tmp_path / "mail"
    office.mailbox = Mailbox()


def visit(method: str, path: str, body: Any = None, **query: str) -> tuple[int, str]:
    answer = admin.ROUTES[method, path](query, b"" if body is None else json.dumps(body).encode())
    return answer.status, answer.body.decode()


def test_an_address_is_confirmed_by_its_mail_at_once_by_default(moto_aws: Aws, folder: Path) -> None:
    sns = moto_aws("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    subscribed = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="admin@example.com")
    assert subscribed["SubscriptionArn"] == "pending confirmation"
    (held,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert held["SubscriptionArn"].startswith(topic)
    (mail,) = office.mailbox.mails()
    assert "/_local/mail/confirm?token=" in mail.get_content() and topic in mail.get_content()
    again = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="admin@example.com")
    assert again["SubscriptionArn"] == held["SubscriptionArn"]
    assert len(office.mailbox.mails()) == 1


def test_a_pending_address_has_no_arn_and_gets_nothing_until_the_link_is_opened(moto_aws: Aws, folder: Path) -> None:
    sns = moto_aws("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    assert visit("POST", "/_local/mail", {"auto_confirm": False})[0] == 200
    arn = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@b.co", ReturnSubscriptionArn=True)[
        "SubscriptionArn"
    ]
    assert arn.startswith(topic)
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"] == "true"
    (held,) = sns.list_subscriptions()["Subscriptions"]
    assert held["SubscriptionArn"] == "PendingConfirmation"
    counts = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (counts["SubscriptionsPending"], counts["SubscriptionsConfirmed"]) == ("1", "0")
    with pytest.raises(ClientError, match="at least 6 elements"):
        sns.unsubscribe(SubscriptionArn="PendingConfirmation")
    sns.publish(TopicArn=topic, Message="too early")
    (invitation,) = office.mailbox.mails()
    token = invitation.get_content().split("token=")[1].split()[0]
    assert visit("GET", "/_local/mail/confirm", token="wrong")[0] == 404
    status, page = visit("GET", "/_local/mail/confirm", token=token)
    assert (status, "a@b.co" in page) == (200, True)
    sns.publish(TopicArn=topic, Message="now", Subject="Hello")
    assert [str(mail["Subject"]) for mail in office.mailbox.mails()][1:] == ["Hello"]
    assert visit("GET", "/_local/mail/unsubscribe", arn=arn)[0] == 200
    assert sns.list_subscriptions()["Subscriptions"] == []


def test_confirming_through_the_api(moto_aws: Aws, folder: Path) -> None:
    sns = moto_aws("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    office.auto_confirm = False
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@b.co")
    with pytest.raises(ClientError, match="Token"):
        sns.confirm_subscription(TopicArn=topic, Token="wrong")
    token = office.mailbox.mails()[0].get_content().split("token=")[1].split()[0]
    arn = sns.confirm_subscription(TopicArn=topic, Token=token)["SubscriptionArn"]
    assert [one["SubscriptionArn"] for one in sns.list_subscriptions()["Subscriptions"]] == [arn]


@pytest.mark.parametrize(
    "address", ["nobody", "a@b@c", "a b@example.com", "a@-", "x" * 65 + "@example.com", "a@b\nBcc: c"]
)
def test_what_is_no_address_is_refused(moto_aws: Aws, address: str) -> None:
    sns = moto_aws("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    with pytest.raises(ClientError, match="Email address"):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)


def test_messages_are_real_files_of_real_mails(moto_aws: Aws, folder: Path) -> None:
    sns = moto_aws("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    for address in ("a@example.com", "b@example.com"):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
    office.mailbox.clear()
    assert list(folder.iterdir()) == []
    parts = {"default": "for machines", "email": "Tenant-A: 80 % of 25 $ – für Menschen\n" + "x" * 2000}
    sns.publish(TopicArn=topic, Subject="Tenant-A: gelb → orange", Message=json.dumps(parts), MessageStructure="json")
    sns.publish(TopicArn=topic, Message=json.dumps({"default": "only this"}), MessageStructure="json")
    assert all(path.suffix == ".eml" for path in folder.iterdir())
    mails = office.mailbox.mails()
    assert [str(mail["To"]) for mail in mails] == ["a@example.com", "b@example.com"] * 2
    first, _, third, _ = mails
    assert str(first["Subject"]) == "Tenant-A: gelb → orange"
    assert "no-reply@sns.amazonaws.com" in str(first["From"])
    assert abs(parsedate_to_datetime(str(first["Date"])).timestamp() - clock.now()) < 60
    assert len({mail["Message-ID"] for mail in mails}) == 4
    assert first.get_content().replace("\r\n", "\n").startswith(parts["email"] + "\n\n--\n")
    assert "unsubscribe" in first.get_content() and "for machines" not in first.get_content()
    assert third.get_content().startswith("only this") and str(third["Subject"]) == "AWS Notification Message"
    raw = min(folder.iterdir()).read_bytes()
    assert raw.isascii() and max(len(line) for line in raw.split(b"\r\n")) <= 998


def test_more_than_ten_a_second_to_an_address_are_lost(
    moto_aws: Aws, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sns = moto_aws("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
    office.mailbox.clear()
    at = [clock.now()]
    monkeypatch.setattr(clock, "now", lambda: at[0])
    for _ in range(15):
        sns.publish(TopicArn=topic, Message="m")
        at[0] += 0.01
    assert (len(office.mailbox.names()), office.dropped) == (10, 5)
    at[0] += 1
    sns.publish(TopicArn=topic, Message="m")
    shown = json.loads(visit("GET", "/_local/mail")[1])
    assert (len(shown["mails"]), shown["dropped"]) == (11, 5)


def test_filters_and_other_protocols_stay(moto_aws: Aws, folder: Path) -> None:
    sns = moto_aws("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    policy = json.dumps({"tenant": ["A"]})
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@b.co", Attributes={"FilterPolicy": policy})
    sns.subscribe(TopicArn=topic, Protocol="email-json", Endpoint="j@b.co")
    office.mailbox.clear()
    for tenant in ("A", "B"):
        attributes = {"tenant": {"DataType": "String", "StringValue": tenant}}
        sns.publish(TopicArn=topic, Message=f"to {tenant}", MessageAttributes=attributes)
    told = [(str(mail["To"]), mail.get_content().strip()) for mail in office.mailbox.mails()]
    assert [text.split("\r\n")[0] for to, text in told if to == "a@b.co"] == ["to A"]
    assert [json.loads(text)["Message"] for to, text in told if to == "j@b.co"] == ["to A", "to B"]


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"Message": ""}, "Empty message"),
        ({"Message": "x" * 262_145}, "too long"),
        ({"Message": "m", "Subject": "x" * 100}, "Subject"),
        ({"Message": "m", "Subject": "a\nb"}, "Subject"),
        ({"Message": "m", "MessageStructure": "json"}, "failed to parse"),
        ({"Message": '{"email": "m"}', "MessageStructure": "json"}, "No default entry"),
    ],
)
def test_publish_refused(moto_aws: Aws, message: dict[str, str], says: str) -> None:
    topic = moto_aws("sns").create_topic(Name="t")["TopicArn"]
    with pytest.raises(ClientError, match=says):
        moto_aws("sns").publish(TopicArn=topic, **message)


def test_the_admin_pages_answer_nonsense_with_a_reason() -> None:
    for method, path in (("POST", "/_local/mail"), ("POST", "/_local/pacing"), ("POST", "/_local/control_faults")):
        assert visit(method, path, 7)[0] == 400
    assert visit("POST", "/_local/control_faults", [{"fault": "explode"}])[0] == 400
    assert visit("POST", "/_local/quotas", {"service": "s3", "code": "x", "value": 1})[0] == 400
