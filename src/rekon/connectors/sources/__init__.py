"""Reading the books of the operator's server: orders, wallet lines, agents and statement lines.

May import `domain`, httpx and tenacity, and SQLAlchemy on the server's own database, read only, never `rekon.store`.
Every reading says up to which instant it is complete; without that mark the book counts as stale.
What cannot be read is quarantined with its reason and its original text, never guessed.
"""
