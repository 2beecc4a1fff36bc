"""Every message the rules ask for can be written, for whoever reads it, in his zone, with no number in clear."""

import tomllib

import pytest

from rekon.domain import message, message_lint, wording
from rekon.domain.breaks import BreakKind, BreakState
from rekon.domain.decision import Action, Decision
from rekon.domain.facts import Twin
from rekon.domain.money import Money
from rekon.domain.outcome import FailureClass, Outcome, ReportSource
from rekon.domain.policy import CutOff
from rekon.domain.refund import RefundState
from rekon.domain.transaction import ChargedAccount, OrderStatus
from rekon.domain.wording import Reader
from tests import house
from tests.builders import (
    NUMBER,
    PRICE,
    PROVIDERS,
    READ_ONLY,
    RESEND,
    T0,
    at,
    build_break,
    build_facts,
    build_history,
    build_leg,
    build_refund,
    build_report,
    build_rules,
    build_transaction,
    build_wallet_line,
    decide_on,
)
from tests.domain.stories import DELIVERED, FIRST, failed, moved, order

B01, B02, B10 = BreakKind.FAILED_NOT_REFUNDED, BreakKind.STUCK_PENDING, BreakKind.DEBITED_TWICE
B05 = BreakKind.SUCCESS_TAKEN_BACK
CONFIG = house.ROOT / "config"


def load(*path):
    return tomllib.loads(CONFIG.joinpath(*path).read_text(encoding="utf-8"))


BOOKS = {language: message.parse_templates(load("templates", f"{language}.toml")) for language in ("id", "en")}
REASONS = message.parse_reasons(load("reasons.toml"))
AGENT = Reader(name="Andi Cell", zone="Asia/Makassar")
OPERATOR = Reader(name="Budi", zone="Asia/Jakarta", operator=True)
DEPOSIT, CASH = ChargedAccount.PROVIDER_DEPOSIT, ChargedAccount.CASH
VOUCHER = ("7KQ2-M4XT-9WPA", 5_000, at(days=30))


def history(**more):
    return build_history(case_number="K7Q2M9XB4", **more)


def write(decision, *, language="id", reader=AGENT, now=T0, **books):
    facts = build_facts(now=now, **({"history": history()} | books))
    return wording.write(
        BOOKS[language],
        REASONS,
        facts,
        decision,
        reader=reader,
        case_id="case_1",
        provider_titles={READ_ONLY: "IAK prabayar"},
    )


def tell(template, *, kind=B01, **more):
    return Decision(action=Action.TELL, rule="r", break_kind=kind, template=template, **more)


def settled(kind=B01, amount=PRICE):
    refund = build_refund(kind=kind, amount=amount, settled_at=at(400))
    back = build_wallet_line(amount=amount, posted_at=at(398), reference=refund.key)
    return {"refunds": (refund,)}, back


PAID, BACK = settled()
PAID_DOUBLE, BACK_DOUBLE = settled(B10)
TWICE = [*moved((-PRICE, 0), (-PRICE, 10)), BACK_DOUBLE]
PENDING = order(OrderStatus.PENDING)
SUCCESS = order(OrderStatus.SUCCESS)
WINDOW = dict(PROVIDERS) | {READ_ONLY: build_rules(cut_offs=(CutOff(start_minute=14 * 60, end_minute=18 * 60),))}
PROOF = [failed(0, source=FIRST), failed(120)]
REVERSED = [DELIVERED, build_report(at=at(300), outcome=Outcome.REVERSED, source=ReportSource.STATEMENT)]
TWIN = Twin(key="toko:T1", ordered_at=at(-60), order_status="success", repeat_counter="")
STORIES = {
    "M01": {"reports": PROOF, "lines": [build_wallet_line(), BACK], "history": history(**PAID)},
    "M01 balance": {
        "reports": PROOF,
        "lines": [build_wallet_line(), BACK],
        "history": history(**PAID, agent_balance=9),
    },
    "M01 cancelled": {
        "reports": REVERSED,
        "history": history(refunds=(build_refund(kind=B05, settled_at=at(400)),), agent_balance=9),
    },
    "M02": {"transaction": PENDING},
    "M03": {
        "transaction": PENDING,
        "now": at(hours=1),
        "history": history(complaint_state="sent", told=frozenset({"M02:B02"})),
    },
    "M04": {"transaction": PENDING, "providers": WINDOW},
    "M05": {
        "transaction": SUCCESS,
        "reports": [DELIVERED],
        "history": history(breaks=(build_break(kind=B02, state=BreakState.RESOLVED),), told=frozenset({"M02:B02"})),
    },
    "M06": {
        "transaction": SUCCESS,
        "reports": [DELIVERED],
        "lines": TWICE,
        "history": history(**PAID_DOUBLE, vouchers={B10: VOUCHER}, agent_balance=1_250_000),
    },
    "M11": {
        "transaction": SUCCESS,
        "now": at(hours=1),
        "reports": [build_report(outcome=Outcome.DELIVERED, source=FIRST)],
    },
    "M13": {"transaction": SUCCESS, "reports": [DELIVERED], "history": history(twins=(TWIN,))},
    "M15": {"reports": [DELIVERED], "lines": moved((-PRICE, 0), (PRICE, 60))},
    "M15 b14": {"lines": moved((-PRICE, 0), (PRICE, 60), (PRICE, 90)), "reports": PROOF},
    "M16": {"reports": PROOF, "history": history(refunds=(build_refund(state=RefundState.AWAITING_APPROVAL),))},
    "M16 B05": {"transaction": SUCCESS, "reports": REVERSED},
    "M19": {
        "now": at(hours=3),
        "transaction": SUCCESS,
        "reports": [
            build_report(at=at(hours=2), outcome=Outcome.DELIVERED, source=ReportSource.STATEMENT, serial_number="S1")
        ],
        "history": history(
            breaks=(build_break(kind=B02, state=BreakState.RESOLVED),),
            vouchers={B02: VOUCHER},
            told=frozenset({"M05:B02"}),
        ),
    },
}


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("name", STORIES)
def test_every_message_the_rules_ask_for_can_be_written_for_the_agent(name, language):
    books = {"now": at(minutes=8), "history": history()} | STORIES[name]
    told = [d for d in decide_on(**books) if d.action is Action.TELL]
    assert [d.template for d in told] == [name[:3]]
    rendered = write(told[0], language=language, **books)
    assert NUMBER not in f"{rendered.text}{rendered.short_text}{rendered.variables}"
    assert "{" not in rendered.text
    if language == "id":
        assert message_lint.lint(rendered.text, template=rendered.template, variables=dict(rendered.variables)) == []


@pytest.mark.parametrize("account", [DEPOSIT, CASH])
@pytest.mark.parametrize("name", ["M02", "M03", "M04", "M05", "M11"])
def test_a_purchase_without_a_wallet_is_told_to_the_operator(name, account):
    books = {"now": at(minutes=8), "history": history()} | STORIES[name]
    status = books["transaction"].order_status
    books |= {"transaction": build_transaction(order_status=status, charged_account=account), "lines": []}
    told = [d for d in decide_on(**books) if d.action is Action.TELL]
    rendered = write(told[0], reader=OPERATOR, **books)
    customer = account is CASH and name == "M05"
    assert (rendered.template, rendered.variant) == (name, "customer" if customer else "operator")
    assert wording.audience_of(build_facts(**books)) == "operator"


def test_the_text_to_forward_for_a_cash_purchase_addresses_the_customer():
    books = {"transaction": order(charged_account=CASH), "lines": [], "reports": PROOF, "now": at(120)}
    told = [d for d in decide_on(**books) if d.action is Action.TELL]
    rendered = write(told[0], reader=OPERATOR, **books)
    assert (rendered.template, rendered.variant) == ("M01", "customer")
    assert rendered.text.startswith("Halo, Pelanggan.")


def test_a_claim_on_a_deposit_is_told_to_the_operator():
    decision = tell("M01", amount=Money(50_150))
    rendered = write(decision, reader=OPERATOR, transaction=order(charged_account=DEPOSIT))
    assert rendered.variant == "operator"
    assert "Rp 50.150" in rendered.text


def test_the_provider_is_called_by_its_title():
    def provider(**books):
        return dict(write(tell("M01"), reader=OPERATOR, **books).variables)["penyedia"]

    assert provider() == "IAK prabayar"
    assert provider(legs=[build_leg(provider=RESEND)]) == RESEND
    assert provider(legs=[]) == "penyedia"


def test_who_is_told_follows_the_charged_account():
    for account in ChargedAccount:
        facts = build_facts(transaction=order(charged_account=account))
        assert wording.audience_of(facts) == ("agent" if account is ChargedAccount.AGENT_WALLET else "operator")


def test_a_message_with_no_words_for_this_reader_is_not_written():
    assert write(tell("M13"), reader=OPERATOR) is None
    assert write(tell("M15", variant="unheard_of")) is None


@pytest.mark.parametrize(
    ("template", "more", "variant"),
    [
        ("M01", {}, "balance_unknown"),
        ("M01", {"agent_balance": 0}, "standard"),
        ("M06", {}, "no_voucher_balance_unknown"),
        ("M06", {"agent_balance": 7}, "no_voucher"),
        ("M06", {"vouchers": {B10: VOUCHER}}, "balance_unknown"),
        ("M06", {"vouchers": {B10: VOUCHER}, "agent_balance": 7}, "standard"),
    ],
)
def test_a_balance_and_a_voucher_are_named_only_where_they_are_known(template, more, variant):
    assert write(tell(template, kind=B10), history=history(**more)).variant == variant


def test_instants_are_in_the_readers_zone():
    rendered = write(tell("M02", kind=B02, promise_at=at(minutes=30)))
    values = dict(rendered.variables)
    assert values["waktu"] == "22 November 2026 pukul 15.05 WITA"
    assert values["jam_kabar"] == "15.35 WITA"


def test_a_promise_for_another_day_names_the_day():
    rendered = write(tell("M02", kind=B02, promise_at=at(hours=12)))
    assert dict(rendered.variables)["jam_kabar"] == "03.05 WITA tanggal 23 November"


def test_an_english_book_gets_english_words():
    rendered = write(tell("M05", kind=B02), language="en", reports=[DELIVERED])
    values = dict(rendered.variables)
    assert values["waktu_sukses"] == "22 November 2026 at 15.05 WITA"
    assert values["nomor_seri"] == "not available yet"
    assert dict(write(tell("M01", reason="busy"), language="en").variables)["alasan_sederhana"].startswith(
        "the connection"
    )
    twins = write(
        tell("M13", details={"twin_at": T0.isoformat(), "result_1": "berhasil", "result_2": "berhasil"}), language="en"
    )
    assert dict(twins.variables)["hasil_1"] == "successful"


@pytest.mark.parametrize(
    ("decision", "books", "amount"),
    [
        (tell("M16", amount=Money(7_000)), {}, "Rp 7.000"),
        (tell("M16"), {}, "Rp 50.600"),
        (tell("M06", kind=B10), {"lines": TWICE, "history": history(**PAID_DOUBLE)}, "Rp 50.600"),
        (
            tell("M06", kind=B10),
            {
                "lines": moved((-PRICE, 0)),
                "history": history(refunds=(build_refund(kind=B10, amount=12_300, settled_at=T0),)),
            },
            "Rp 12.300",
        ),
        (tell("M16"), {"lines": []}, "Rp 50.600"),
    ],
)
def test_the_amount_is_the_decisions_own_else_what_went_back_else_what_is_taken(decision, books, amount):
    assert dict(write(decision, **books).variables)["jumlah"] == amount


def test_the_amount_that_went_back_is_that_of_the_break_told_about():
    two = (build_refund(amount=7_000, settled_at=T0), build_refund(kind=B10, amount=12_300, settled_at=T0))
    assert dict(write(tell("M06", kind=B10), history=history(refunds=two)).variables)["jumlah"] == "Rp 12.300"
    waiting = (build_refund(kind=B10, amount=12_300, state=RefundState.SUBMITTED),)
    values = dict(write(tell("M06", kind=B10), history=history(refunds=waiting), lines=moved((-PRICE, 0))).variables)
    assert values["jumlah"] == "Rp 38.300"


def test_the_time_of_a_refund_is_that_of_the_break_told_about():
    two = (build_refund(settled_at=at(hours=2)), build_refund(kind=B10, settled_at=at(400)))
    assert dict(write(tell("M06", kind=B10), history=history(refunds=two)).variables)["waktu_kembali"].endswith(
        "15.11 WITA"
    )
    credited = [build_wallet_line(), build_wallet_line(amount=PRICE, posted_at=at(120))]
    assert dict(write(tell("M01"), lines=credited).variables)["waktu_kembali"].endswith("15.07 WITA")


def test_the_provider_was_told_by_the_complaint_or_else_by_our_last_question():
    asked = {"reports": [failed(0), failed(300)], "now": at(hours=1)}
    assert dict(write(tell("M11"), **asked).variables)["waktu_lapor"].endswith("15.10 WITA")
    sent = history(complaint_sent_at=at(600))
    assert dict(write(tell("M11"), **asked | {"history": sent}).variables)["waktu_lapor"].endswith("15.15 WITA")


def test_a_cause_nobody_knows_is_called_unknown():
    assert dict(write(tell("M01")).variables)["alasan_sederhana"] == REASONS.sentence("unknown")


def test_a_wait_is_told_in_words_and_a_window_by_its_end():
    waited = write(tell("M19", kind=B02, details={"waited_seconds": "8100"}), history=history(vouchers={B02: VOUCHER}))
    assert dict(waited.variables)["lama"] == "2 jam 15 menit"
    end = at(hours=1).isoformat()
    assert dict(write(tell("M04", kind=B02, details={"window_end": end})).variables)["jam_selesai"] == "16.05 WITA"


@pytest.mark.parametrize("kind", BreakKind)
def test_what_a_case_is_about_is_said_in_words_an_agent_knows(kind):
    values = {
        "nama_agen": "Andi Cell",
        "jam_kabar_lama": "14.20 WIB",
        "nomor_kasus": "K7Q2M9XB4",
        "status_sederhana": wording.plain_status((kind,)),
        "jam_kabar": "15.20 WIB",
    }
    rendered = message.render(BOOKS["id"], template="M26", variables=values, case_id="case_1")
    assert values["status_sederhana"] in rendered.text
    assert message_lint.lint(rendered.text, template="M26") == []


def test_a_case_with_several_breaks_names_each_once():
    kinds = (BreakKind.STUCK_PENDING, BreakKind.STUCK_PENDING, BreakKind.SERIAL_MISSING)
    assert wording.plain_status(kinds) == "pengisian masih diproses penyedia; nomor seri belum kami terima"
    assert wording.plain_status(()) == "masih kami telusuri"


@pytest.mark.parametrize("failure_class", [FailureClass.NEVER_FORMED, FailureClass.DEFINITE])
def test_the_cause_of_a_refund_is_the_providers_own(failure_class):
    books = STORIES["M01"] | {
        "reports": [failed(0, failure_class, FIRST, reason="blocked_number"), failed(120, reason="blocked_number")]
    }
    told = [d for d in decide_on(now=at(minutes=8), **books) if d.action is Action.TELL]
    assert dict(write(told[0], **books).variables)["alasan_sederhana"] == REASONS.sentence("blocked_number")


def test_a_decision_by_a_person_is_promised_within_four_hours():
    assert dict(write(tell("M16")).variables)["batas_keputusan"] == "19.05 WITA"
