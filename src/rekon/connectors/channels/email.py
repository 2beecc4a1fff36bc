"""Messages by e-mail. The Message-ID is made of the message's own id, so a mail that came twice is seen to be one."""

import asyncio
import hashlib
import re
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from enum import StrEnum

import aiosmtplib

from rekon.connectors.channels.contract import Delivery, OutgoingMessage, refused, retry, sent, unknown

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_POLICY = SMTP.clone(cte_type="7bit")
"""Every mail server takes seven bits, so none has to be asked what else it takes."""
_CREDENTIALS_WAIT_SECONDS = 3_600
_PERMANENT = 500


class MailSecurity(StrEnum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """The mail server and the account on it."""

    hostname: str
    port: int = 587
    security: MailSecurity = MailSecurity.STARTTLS
    username: str = ""
    password: str = field(default="", repr=False)
    timeout_seconds: float = 15.0
    tls_context: ssl.SSLContext | None = field(default=None, repr=False)
    """Only for a mail server with a certificate of its own."""


class EmailChannel:
    """Sends each message as plain text from one sender; the address is the reader's mailbox."""

    def __init__(self, server: MailServer, *, sender: str, name: str = "email") -> None:
        if not _ADDRESS.fullmatch(sender):
            text = "the sender is not an e-mail address"
            raise ValueError(text)
        if server.username and server.security is MailSecurity.NONE and server.hostname not in _LOOPBACK:
            text = "a password goes to a mail server over TLS only"
            raise ValueError(text)
        self.name = name
        self._server = server
        self._sender = sender

    async def send(self, message: OutgoingMessage, *, now: datetime) -> Delivery:
        """Send the message once. A connection lost while the mail was handed over leaves it UNKNOWN."""
        if not _ADDRESS.fullmatch(message.address):
            return refused("alamat surel tidak sah")
        mail = compose(message, sender=self._sender, now=now)
        client = self._client()
        try:
            return await self._prepare(client, message.address) or await self._hand_over(client, mail)
        finally:
            client.close()

    async def _prepare(self, client: aiosmtplib.SMTP, address: str) -> Delivery | None:
        """Go as far as the server's consent to this reader; up to here nothing was delivered."""
        try:
            async with asyncio.timeout(self._server.timeout_seconds):
                await client.connect()
                await client.mail(self._sender)
                await client.rcpt(address)
        except aiosmtplib.SMTPAuthenticationError:
            return retry("server surel menolak kata sandi", after_seconds=_CREDENTIALS_WAIT_SECONDS)
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPRecipientRefused) as error:
            return _from_code(error.code)
        except (aiosmtplib.SMTPException, OSError) as error:
            return retry(f"server surel tidak dapat dihubungi ({type(error).__name__})")
        return None

    async def _hand_over(self, client: aiosmtplib.SMTP, mail: EmailMessage) -> Delivery:
        try:
            async with asyncio.timeout(self._server.timeout_seconds):
                await client.data(mail.as_bytes())
        except aiosmtplib.SMTPResponseException as error:
            return _from_code(error.code)
        except (aiosmtplib.SMTPException, OSError) as error:
            return unknown(f"sambungan surel terputus saat mengirim ({type(error).__name__})")
        return sent(str(mail["Message-ID"]))

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._server.hostname,
            port=self._server.port,
            username=self._server.username or None,
            password=self._server.password or None,
            local_hostname=_domain(self._sender),
            timeout=self._server.timeout_seconds,
            use_tls=self._server.security is MailSecurity.TLS,
            start_tls=self._server.security is MailSecurity.STARTTLS,
            tls_context=self._server.tls_context,
        )


def compose(message: OutgoingMessage, *, sender: str, now: datetime) -> EmailMessage:
    """Write the mail: one reader, plain text, the answer link below it.

    Raises:
        ValueError: when an address or a case id would break a header.
    """
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = sender
    mail["To"] = message.address
    mail["Subject"] = f"Kabar kasus {message.case_id}" if message.case_id else "Kabar transaksi Anda"
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{_safe_id(message.message_id)}@{_domain(sender)}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{message.text_with_link()}\n")
    return mail


def _from_code(code: int) -> Delivery:
    if code >= _PERMANENT:
        return refused(f"server surel menolak surel ini (kode {code})")
    return retry(f"server surel meminta mencoba lagi (kode {code})")


def _safe_id(message_id: str) -> str:
    if _PLAIN_ID.fullmatch(message_id):
        return message_id
    return hashlib.sha256(message_id.encode()).hexdigest()


def _domain(address: str) -> str:
    return address.rpartition("@")[2]
