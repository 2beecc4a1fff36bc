"""Tables, queries and the unit of work (SQLAlchemy Core, synchronous).

May import `rekon.domain`. Every function takes a `Connection` inside a unit of work that its caller opened, so several
of them commit together. Start reading at `schema.py` (what is kept) and `engine.py` (how it is opened).
"""
