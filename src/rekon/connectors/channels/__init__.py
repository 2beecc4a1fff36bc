"""Delivering a message that is already written: file, webhook, Telegram, WhatsApp, e-mail, the server's own outbox.

May import `domain`, httpx, tenacity and aiosmtplib; `sql_outbox` also SQLAlchemy on the server's own database.
A channel takes one message and says sent, refused, try again or unclear. It composes nothing and chooses nobody.
Addresses and tokens stay out of logs, URLs that are logged, reprs and the texts of exceptions.
Start reading at `contract.py`.
"""
