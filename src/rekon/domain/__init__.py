"""The pure rules of rekon: words, state machines, decisions.

May import the standard library without I/O: no clock, no random source, no network, no database.
Start reading at `decision.py` (what rekon can decide) and `transaction.py` (what it decides about).
"""
