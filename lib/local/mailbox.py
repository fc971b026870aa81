"""Where mail of the embedded AWS arrives: one RFC 5322 message a file, in `<folder>/*.eml`."""

from __future__ import annotations

import email
import email.policy
import itertools
import threading
import uuid
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

__all__ = ["Mailbox"]

SENDER = "AWS Notifications <no-reply@sns.amazonaws.com>"


class Mailbox:
    """Mails in order of arrival. Without a folder they are kept in memory."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._memory: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def deliver(self, to: str, subject: str, text: str, at: float) -> str:
        """Put a mail into the box as of epoch second `at`; a reader sees all of it or nothing. Returns its name."""
        message = EmailMessage(policy=email.policy.SMTP)
        message["From"] = SENDER
        message["To"] = to
        message["Subject"] = subject
        message["Date"] = format_datetime(datetime.fromtimestamp(at, UTC))
        message["Message-ID"] = f"<{uuid.uuid4()}@email.amazonses.com>"
        message.set_content(text)
        with self._lock:
            name = f"{int(at * 1000):013d}-{next(self._numbers):06d}.eml"
            if self._folder is None:
                self._memory[name] = bytes(message)
                return name
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished = self._folder / f".{name}.tmp"
            unfinished.write_bytes(bytes(message))
            unfinished.replace(self._folder / name)
            return name

    def names(self) -> list[str]:
        """The names of all mails, oldest first."""
        if self._folder is None:
            return sorted(self._memory)
        return sorted(path.name for path in self._folder.glob("*.eml"))

    def read(self, name: str) -> EmailMessage:
        """One mail. Raises KeyError where there is none of that name."""
        try:
            content = self._memory[name] if self._folder is None else (self._folder / Path(name).name).read_bytes()
        except FileNotFoundError:
            raise KeyError(name) from None
        parsed = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def mails(self) -> list[EmailMessage]:
        """All mails, oldest first."""
        return [self.read(name) for name in self.names()]

    def clear(self) -> None:
        """Throw all mails away."""
        self._memory.clear()
        for name in self.names():
            assert self._folder is not None
            (self._folder / name).unlink(missing_ok=True)
