"""What `rekon doctor` looks at in the database: schema, durability, guards, clock, staff, HALT, quarantine."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from rekon import bootstrap, resources
from rekon.cli import failures
from rekon.cli.doctor_checks import Finding, bad, ok, warn
from rekon.cli.output import at
from rekon.settings import Settings
from rekon.store import approvals, audit, epoch, health, limits, migrate, quarantine, relays
from rekon.store.engine import Store, check_durability
from rekon.store.guards import missing_guards

APPROVERS_MIN = 3
"""Fewer people who may agree, and a holiday stops every refund (reliability 9)."""
_COUNTED_MAX = 1_000
_HIGH_WATER = "high_water"
_BEHIND_MAX = timedelta(seconds=60)

RESTORED_TEXTS = {
    epoch.Standing.LOST: "basis data ini hasil pemulihan: berkas epoch mencatat niat yang tidak ada di dalamnya",
    epoch.Standing.OTHER_EPOCH: "berkas epoch milik basis data lain, jadi basis data ini hasil pemulihan",
    epoch.Standing.NO_FILE: "berkas epoch hilang, jadi tidak terbukti bahwa basis data ini yang terbaru",
    epoch.Standing.UNREADABLE: "berkas epoch tidak terbaca, jadi tidak terbukti bahwa basis data ini yang terbaru",
}

_RELAY_TEXTS = {
    "waiting": "belum sampai ke server",
    "refused": "ditolak server terus-menerus dan dilewati",
    "expired": "terlalu lama tidak sampai dan dilewati",
}

Check = Callable[[Connection], Iterator[Finding]]


def state_dir(config: Path) -> Path:
    """Return the installation's folder."""
    return bootstrap.state_dir_of(config)


def of_store(config: Path, settings: Settings, now: datetime) -> list[Finding]:
    """Look at the database; what needs the schema is asked only when the schema is right."""
    store = Store(bootstrap.store_url(settings, state_dir(config)), audit_key=bootstrap.audit_key(settings))
    try:
        found = [_schema(store), _durability(store)]
        if any(one.level == "bad" for one in found):
            return found
        path, anchor = epoch.path_of(store, state_dir(config)), audit.path_of(store, state_dir(config))
        checks: tuple[Check, ...] = (
            _guards,
            lambda c: _clock(c, now),
            lambda c: _epoch(c, path),
            lambda c: _audit(c, anchor),
            _staff,
            _halt,
            _waiting,
            _relays,
        )
        with store.reading() as connection:
            return [*found, *(one for check in checks for one in check(connection))]
    finally:
        store.close()


def _schema(store: Store) -> Finding:
    return _told("skema", "terbaru", lambda: migrate.check(store, resources.data_path("migrations")))


def _durability(store: Store) -> Finding:
    return _told("ketahanan", "setiap pencatatan tahan mati listrik", lambda: store.write(check_durability))


def _told(name: str, text: str, look: Callable[[], None]) -> Finding:
    try:
        look()
    except Exception as error:
        failure = failures.explain(error)
        if failure is None:
            raise
        return bad(name, failure.text)
    return ok(name, text)


def _guards(connection: Connection) -> Iterator[Finding]:
    missing = missing_guards(connection)
    if missing:
        yield bad("penjaga", f"hilang: {', '.join(missing)}; jalankan `rekon db upgrade`")
    else:
        yield ok("penjaga", "tabel yang hanya boleh bertambah terjaga")


def _clock(connection: Connection, now: datetime) -> Iterator[Finding]:
    seen = health.fact(connection, _HIGH_WATER)
    mark = datetime.fromisoformat(seen) if seen else None
    if mark is not None and now < mark - _BEHIND_MAX:
        yield bad("jam", f"menunjukkan {at(now)}, padahal buku sudah mencatat {at(mark)}; betulkan jamnya")
    else:
        yield ok("jam", at(now))


def _epoch(connection: Connection, path: Path) -> Iterator[Finding]:
    found = epoch.compare(connection, path)
    if found.standing in epoch.RESTORED:
        yield bad(
            "cadangan",
            f"{RESTORED_TEXTS[found.standing]}; tidak ada uang, tanya-ulang, atau pesan yang keluar "
            "sendiri sampai `rekon db reconcile`",
        )
    else:
        yield ok("cadangan", f"niat terakhir nomor {found.stored.number}, cocok dengan {path.name}")


def _audit(connection: Connection, anchor: Path) -> Iterator[Finding]:
    fault = audit.first_fault(connection, anchor)
    if fault is not None:
        yield bad("audit", f"{fault}; daemon tidak mau mulai, lihat `rekon audit verify`")
    else:
        yield ok("audit", f"segel cocok sampai baris {audit.head(connection).number}")


def _staff(connection: Connection) -> Iterator[Finding]:
    count = approvals.count_approvers(connection)
    if count < APPROVERS_MIN:
        text = f"{count} petugas dapat menyetujui, sebaiknya {APPROVERS_MIN} atau lebih; `rekon users add`"
        yield warn("petugas", text)
    else:
        yield ok("petugas", f"{count} dapat menyetujui")


def _halt(connection: Connection) -> Iterator[Finding]:
    for halt in approvals.list_halts(connection):
        whose = "" if halt["scope"] == limits.GLOBAL else f" ({halt['scope']})"
        since = f"berhenti sejak {at(halt['opened_at'])}: {halt['reason']}"
        yield warn("henti", f"uang otomatis{whose} {since}; `rekon resume`")


def _relays(connection: Connection) -> Iterator[Finding]:
    for row in relays.overview(connection):
        text = f"{row['provider']}: {row['count']} callback {_RELAY_TEXTS[row['state']]}, sejak {at(row['since'])}"
        yield warn("terusan", text)


def _waiting(connection: Connection) -> Iterator[Finding]:
    rows = quarantine.waiting(connection, limit=_COUNTED_MAX)
    if rows:
        count = f"{len(rows)}" if len(rows) < _COUNTED_MAX else f"{_COUNTED_MAX} atau lebih"
        yield warn("karantina", f"{count} baris menunggu; `rekon intake quarantine list`")
