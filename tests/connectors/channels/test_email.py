"""Messages by e-mail, to a mail server on this machine."""

import asyncio
import email
import socket
from contextlib import asynccontextmanager, contextmanager
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from rekon.connectors.channels.contract import DeliveryState
from rekon.connectors.channels.email import EmailChannel, MailSecurity, MailServer, compose
from tests.connectors.channels.parts import ANSWER_URL, NOW, TEXT, make_message

SENDER = "rekon@toko.example"
ADDRESS = "andi@agen.example"
PASSWORD = "rahasia-surel"


class Mailbox:
    """Keeps what arrives, or answers as it is told."""

    def __init__(self, *, at_recipient="250 OK", at_data="250 OK"):
        self.mails = []
        self._at_recipient = at_recipient
        self._at_data = at_data

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd calls this name
        if self._at_recipient.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self._at_recipient

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd calls this name
        self.mails.append((envelope, email.message_from_bytes(envelope.content, policy=default)))
        return self._at_data


@contextmanager
def mail_server(mailbox, **options):
    controller = Controller(mailbox, hostname="127.0.0.1", port=_free_port(), **options)
    controller.start()
    try:
        yield MailServer(hostname="127.0.0.1", port=controller.port, security=MailSecurity.NONE, timeout_seconds=5)
    finally:
        controller.stop()


@asynccontextmanager
async def failing_server(last, *, greeting=b"220 hello\r\n", acknowledges=True, timeout_seconds=5):
    """Serve mail up to the line `last` and hang up there; "" hangs up at once."""
    talks = []

    async def talk(reader, writer):
        talks.append(asyncio.current_task())
        writer.write(greeting if last else b"")
        is_body = False
        while last:
            line = (await reader.readline()).decode().strip()
            if not line or line == last or line.split(" ")[0] == last:
                break
            is_body = line == "DATA" or (is_body and line != ".")
            if acknowledges or not is_body:
                writer.write(b"354 go on\r\n" if line == "DATA" else b"" if is_body else b"250 OK\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield MailServer(hostname="127.0.0.1", port=port, security=MailSecurity.NONE, timeout_seconds=timeout_seconds)
    finally:
        server.close()
        await asyncio.gather(*talks)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def send(server, **changes):
    channel = EmailChannel(server, sender=SENDER)
    return await channel.send(make_message(**{"address": ADDRESS, **changes}), now=NOW)


async def test_a_mail_arrives_with_the_text_and_an_id_of_its_own():
    mailbox = Mailbox()
    with mail_server(mailbox) as server:
        delivery = await send(server)
    ((envelope, mail),) = mailbox.mails
    assert (delivery.state, delivery.reference) == (DeliveryState.SENT, "<msg_1@toko.example>")
    assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, [ADDRESS])
    assert mail["Message-ID"] == "<msg_1@toko.example>"
    assert mail["Subject"] == "Kabar kasus K-1"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == NOW
    body = mail.get_content().replace("\r\n", "\n")
    assert body.startswith(TEXT)
    assert ANSWER_URL in body


async def test_a_repeat_carries_the_same_message_id():
    mailbox = Mailbox()
    with mail_server(mailbox) as server:
        for _ in range(2):
            await send(server, message_id="pesan/T1001 M01")
    first, second = (mail["Message-ID"] for _, mail in mailbox.mails)
    assert first == second
    assert "/" not in first


async def test_letters_beyond_ascii_survive():
    mailbox = Mailbox()
    with mail_server(mailbox) as server:
        await send(server, text="Halo, S\u00e9an. Apakah sudah?", answer_url="")
    assert mailbox.mails[0][1].get_content().strip() == "Halo, S\u00e9an. Apakah sudah?"


@pytest.mark.parametrize(
    ("mailbox", "state"),
    [
        (Mailbox(at_recipient="550 no such user"), DeliveryState.REFUSED),
        (Mailbox(at_recipient="450 mailbox busy"), DeliveryState.RETRY),
        (Mailbox(at_data="554 rejected as spam"), DeliveryState.REFUSED),
        (Mailbox(at_data="451 try later"), DeliveryState.RETRY),
    ],
)
async def test_the_servers_code_decides(mailbox, state):
    with mail_server(mailbox) as server:
        delivery = await send(server)
    assert delivery.state is state
    assert ADDRESS not in delivery.note


async def test_a_server_that_is_not_there_is_asked_again():
    with mail_server(Mailbox()) as server:
        pass
    assert (await send(server)).state is DeliveryState.RETRY


@pytest.mark.parametrize(
    ("last", "state"),
    [
        ("", DeliveryState.RETRY),
        ("EHLO", DeliveryState.RETRY),
        ("MAIL", DeliveryState.RETRY),
        ("RCPT", DeliveryState.RETRY),
        ("DATA", DeliveryState.UNKNOWN),
        (".", DeliveryState.UNKNOWN),
    ],
)
async def test_a_connection_lost_while_handing_over_leaves_it_open(last, state):
    async with failing_server(last) as server:
        assert (await send(server)).state is state


async def test_a_server_that_stays_silent_before_the_mail_is_asked_again():
    async with failing_server("never", greeting=b"", timeout_seconds=0.05) as server:
        assert (await send(server)).state is DeliveryState.RETRY


async def test_a_server_that_stays_silent_after_the_mail_leaves_it_open():
    async with failing_server("never", acknowledges=False, timeout_seconds=0.2) as server:
        assert (await send(server)).state is DeliveryState.UNKNOWN


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize(
    ("password", "state", "seconds"),
    [(PASSWORD, DeliveryState.SENT, None), ("salah-sandi", DeliveryState.RETRY, 3_600)],
)
async def test_the_account_logs_in_and_a_wrong_password_waits_for_a_person(password, state, seconds):
    def check(server, session, envelope, mechanism, data):
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    options = {"authenticator": check, "auth_required": True, "auth_require_tls": False}
    with mail_server(Mailbox(), **options) as open_server:
        server = MailServer(
            hostname=open_server.hostname,
            port=open_server.port,
            security=MailSecurity.NONE,
            username="rekon",
            password=password,
        )
        delivery = await send(server)
    assert (delivery.state, delivery.retry_after_seconds) == (state, seconds)
    assert password not in repr(server) + repr(delivery)


@pytest.mark.parametrize(
    "address", ["", "andi", "andi@", "a b@agen.example", "andi@agen.example\r\nBcc: x@y.example", "a@b@c", "<a@b.c>"]
)
async def test_an_address_that_is_none_is_refused(address):
    with mail_server(Mailbox()) as server:
        assert (await send(server, address=address)).state is DeliveryState.REFUSED


def test_a_password_never_goes_over_an_open_line():
    server = MailServer(hostname="mail.example", security=MailSecurity.NONE, username="rekon", password=PASSWORD)
    with pytest.raises(ValueError, match="TLS"):
        EmailChannel(server, sender=SENDER)


def test_a_sender_that_is_no_address_is_refused():
    with pytest.raises(ValueError, match="sender"):
        EmailChannel(MailServer(hostname="mail.example"), sender="rekon")


def test_a_message_without_a_case_still_has_a_subject():
    mail = compose(make_message(address=ADDRESS, case_id=""), sender=SENDER, now=NOW)
    assert mail["Subject"] == "Kabar transaksi Anda"
