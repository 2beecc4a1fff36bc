"""What every table is made with: one `metadata`, names for constraints, and indexes over a part of a table."""

from sqlalchemy import Index, MetaData, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

IS_DUE = "due_at IS NOT NULL"


def index_where(condition: str, name: str, *columns: str) -> Index:
    """Index only the rows that meet `condition`, so that finding open work costs the same however long the history is.

    A query uses it only when it says the condition in the same words, with no bound value in it (performance 3).
    """
    return Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))
