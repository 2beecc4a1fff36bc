"""Paying back through the operator's server, and asking whether it was paid.

May import `domain`, httpx and tenacity; the `sql` gateway also SQLAlchemy on the server's own database.
Each gateway states its class: G2 repeats are harmless, G1 is asked before it is told again, G0 is told once and
whatever stays unclear goes to a person. The idempotency key is given by the caller and stored before the call.
"""
