from datetime import timedelta
from decimal import Decimal

from rekon.domain.callback import Verdict
from rekon.domain.outcome import FailureClass, Outcome, Reading, ReportSource
from rekon.store import inbox, legs, reports, schema
from tests import builders
from tests.store import filling

T0 = builders.T0
LATER = builders.at(minutes=5)


def _store(store, body=b'{"ref_id":"T1001"}', *, provider="iak", now=T0):
    return store.write(
        inbox.store, provider=provider, body=body, content_type="application/json", verdict=Verdict.SIGNED, now=now
    )


def _report(*, source=ReportSource.INQUIRY, discriminator="1", at=T0, **more):
    reading = Reading(outcome=Outcome.FAILED, failure_class=FailureClass.DEFINITE, raw_code="14", **more)
    return reports.NewReport(
        leg_key=builders.LEG, source=source, reading=reading, raw=b"{}", received_at=at, discriminator=discriminator
    )


def test_a_callback_repeated_a_hundred_times_is_stored_once(store):
    assert _store(store)
    assert [_store(store, now=LATER) for _ in range(99)] == [False] * 99
    row = filling.one(store, schema.inbox)
    assert (row["copies"], row["received_at"]) == (100, T0)


def test_the_same_words_of_another_provider_are_another_callback(store):
    assert _store(store)
    assert _store(store, provider="digiflazz")


def test_callbacks_are_read_oldest_first_and_once(store):
    _store(store, b"1")
    _store(store, b"2")
    first, second = store.write(inbox.unread, limit=5)
    assert (first.body, second.body, first.verdict) == (b"1", b"2", Verdict.SIGNED)
    assert store.write(inbox.unread, limit=1)
    store.write(inbox.mark_read, [first.id, second.id])
    store.write(inbox.mark_read, [])
    assert store.write(inbox.unread, limit=5) == []
    assert not store.write(inbox.unread, limit=1)


def test_a_repeated_callback_is_not_read_again(store):
    _store(store)
    (one,) = store.write(inbox.unread, limit=5)
    store.write(inbox.mark_read, [one.id])
    _store(store)
    assert not store.write(inbox.unread, limit=1)


def test_a_report_comes_back_as_it_went_in(store):
    filling.order(store)
    report = _report(serial_number="SN", price=Decimal("50150.50"), balance=Decimal("1E+3"), reason="wrong_number")
    store.write(reports.append, [report])
    (found,) = store.read(reports.of_legs, [builders.LEG])[builders.LEG]
    assert (found.outcome, found.failure_class, found.source) == (
        Outcome.FAILED,
        FailureClass.DEFINITE,
        ReportSource.INQUIRY,
    )
    assert (str(found.price), str(found.balance), found.serial_number) == ("50150.50", "1E+3", "SN")
    assert (found.received_at, found.about_this_leg, found.body_signed) == (T0, True, False)


def test_the_same_report_is_appended_once(store):
    filling.order(store)
    store.write(reports.append, [_report(), _report()])
    store.write(reports.append, [_report(at=LATER)])
    store.write(reports.append, [_report(discriminator="2")])
    store.write(reports.append, [])
    assert len(filling.rows(store, schema.reports)) == 2


def test_words_no_database_could_hold_do_not_stop_a_report(store):
    filling.order(store)
    store.write(reports.append, [_report(serial_number="S\x00N\ud800", note="é" * 900)])
    row = filling.one(store, schema.reports)
    assert (row["serial_number"], row["note"]) == ("SN", "é" * 400)


def test_reports_are_given_by_leg_oldest_first(store):
    filling.order(store)
    store.write(reports.append, [_report(discriminator="2", at=LATER), _report(discriminator="1")])
    found = store.read(reports.of_legs, [builders.LEG, "none"])
    assert [report.received_at for report in found[builders.LEG]] == [T0, LATER]
    assert found["none"] == []


def test_the_newest_contacts_a_provider_gave_are_used(store):
    filling.order(store)
    assert store.read(reports.contacts_of, builders.LEG) == ()
    store.write(
        reports.append,
        [
            _report(contacts=("wa:0812",)),
            _report(discriminator="2", at=LATER, contacts=("tele:@x",)),
            _report(discriminator="3", at=builders.at(hours=1)),
        ],
    )
    assert store.read(reports.contacts_of, builders.LEG) == ("tele:@x",)


def test_legs_are_found_by_what_a_provider_calls_them(store):
    filling.order(store)
    (leg,) = store.read(legs.of_ref, provider="iak", ref_id="T1001")
    assert leg == builders.build_leg()
    assert store.read(legs.of_ref, provider="digiflazz", ref_id="T1001") == []


def _read(store, *, ref_id="T1001"):
    (one,) = store.write(inbox.unread, limit=5)
    store.write(inbox.mark_read, [one.id])
    store.write(inbox.keep_early, one.id, ref_id=ref_id)
    return one.id


def test_a_callback_before_its_order_is_read_again_when_the_order_comes(store):
    _store(store)
    _read(store)
    assert not store.write(inbox.unread, limit=1)
    filling.order(store, number="T2")
    assert not store.write(inbox.unread, limit=1)
    filling.order(store)
    assert store.write(inbox.unread, limit=1)


def test_a_callback_of_another_provider_with_the_same_reference_stays_early(store):
    _store(store, provider="digiflazz")
    _read(store)
    filling.order(store)
    assert filling.one(store, schema.inbox)["state"] == "early"


def test_a_callback_whose_order_came_while_it_was_read_is_new_again(store):
    _store(store)
    filling.order(store)
    _read(store)
    assert store.write(inbox.unread, limit=1)


def test_a_callback_about_nothing_waits_for_nothing(store):
    _store(store)
    _read(store, ref_id="")
    assert filling.one(store, schema.inbox)["state"] == "read"


def test_a_callback_whose_order_never_comes_is_closed_after_a_week(store):
    _store(store)
    _read(store)
    received = filling.one(store, schema.inbox)["received_at"]
    almost = received + inbox.EARLY_MAX - timedelta(microseconds=1)
    assert store.write(inbox.close_early, now=almost, limit=5) == []
    assert filling.due_at(store, "follow_up") == received + inbox.EARLY_MAX
    (closed,) = store.write(inbox.close_early, now=received + inbox.EARLY_MAX, limit=5)
    assert (closed["id"], filling.one(store, schema.inbox)["state"]) == (
        filling.one(store, schema.inbox)["id"],
        "expired",
    )
    filling.order(store)
    assert not store.write(inbox.unread, limit=1)
    assert filling.due_at(store, "follow_up") is None
