"""What may go wrong with the database itself, under names that rooms above the store can catch."""

from sqlalchemy.exc import OperationalError

StoreUnavailableError = OperationalError
"""The database is locked, full or away. Nothing was stored; the sender should come again."""
