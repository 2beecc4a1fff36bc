"""The message library: loading, rendering and what may never reach an agent."""

import copy
import re
import tomllib
from datetime import UTC, datetime, timedelta, timezone

import pytest

from rekon.domain import message
from rekon.domain.message import MessageError
from rekon.domain.message_book import OPENINGS
from tests import house

CONFIG = house.ROOT / "config"


def load(language):
    return tomllib.loads((CONFIG / "templates" / f"{language}.toml").read_text(encoding="utf-8"))


BOOKS = {language: message.parse_templates(load(language)) for language in ("id", "en")}
BOOK = BOOKS["id"]

TYPICAL = {
    "nama_agen": "Andi Cell",
    "produk": "Telkomsel 50.000",
    "tujuan": "0812****7890",
    "waktu": "22 November 2026 pukul 14.05 WIB",
    "waktu_kembali": "22 November 2026 pukul 14.12 WIB",
    "waktu_lapor": "22 November 2026 pukul 14.35 WIB",
    "waktu_sukses": "22 November 2026 pukul 14.09 WIB",
    "waktu_selesai": "22 November 2026 pukul 14.12 WIB",
    "waktu_1": "22 November 2026 pukul 14.05 WIB",
    "waktu_2": "22 November 2026 pukul 14.06 WIB",
    "hasil_1": "berhasil",
    "hasil_2": "masih diproses",
    "jumlah": "Rp 50.600",
    "saldo": "Rp 1.250.000",
    "harga_benar": "Rp 50.600",
    "harga_terpotong": "Rp 51.200",
    "alasan_sederhana": "koneksi ke server sedang sibuk",
    "status_sederhana": "pengisian masih diproses oleh penyedia",
    "jam_kabar": "14.35 WIB",
    "jam_kabar_lama": "14.20 WIB",
    "jam_selesai": "01.00 WIB",
    "nomor_kasus": "K-20261122-0042",
    "nomor_seri": "0041002624901195",
    "penyedia": "Digiflazz",
    "lama": "2 jam 15 menit",
    "nilai_voucher": "Rp 5.000",
    "kode_voucher": "7KQ2-M4XT-9WPA",
    "batas_voucher": "22 Desember 2026 pukul 14.12 WIB",
    "batas_keputusan": "22 November 2026 pukul 16.05 WIB",
}
EXTREME = TYPICAL | {
    "nama_agen": "PT. Juragan Bos Pulsa H. Muhammad Error Server Nusantara Abadi!!! \U0001f525",
    "produk": "Internet Combo OMG Malam 120 GB 30 Hari and Unlimited Sosmed Telkomsel 100.000",
    "tujuan": "086012345678901",
    "waktu": "30 September 2026 pukul 23.59 WITA",
    "waktu_1": "30 September 2026 pukul 23.58 WITA",
    "waktu_2": "30 September 2026 pukul 23.59 WITA",
    "waktu_kembali": "30 September 2026 pukul 23.59 WITA",
    "waktu_lapor": "30 September 2026 pukul 23.59 WITA",
    "waktu_sukses": "30 September 2026 pukul 23.59 WITA",
    "waktu_selesai": "30 September 2026 pukul 23.59 WITA",
    "jumlah": "Rp 12.500.000",
    "saldo": "Rp 1.234.567.890",
    "harga_benar": "Rp 12.500.000",
    "harga_terpotong": "Rp 12.600.000",
    "alasan_sederhana": "nomor tujuan masih memakai paket lain yang harus dihentikan dahulu",
    "jam_kabar": "08.00 WITA tanggal 30 September",
    "jam_kabar_lama": "08.00 WITA tanggal 29 September",
    "nomor_seri": "1234-5678-9012-3456-7890-ABCD-EFGH",
    "penyedia": "Server Pulsa Nusantara Jaya",
    "lama": "12 hari 23 jam",
    "batas_keputusan": "30 September 2026 pukul 23.59 WITA",
}

CASES = [
    (template, variant, opening, values)
    for template, found in BOOK.templates.items()
    for variant in found.variants
    for opening in range(OPENINGS)
    for values in (TYPICAL, EXTREME)
]
FAMILIES = [
    (template, variant, family)
    for template, found in BOOK.templates.items()
    for variant, texts in found.variants.items()
    for family in texts.empathy_by_family
]


def case_of(opening):
    """Find a case id whose hash chooses this opening."""
    return next(c for c in map(str, range(100)) if rendered("M01", case_id=c).opening_index == opening)


def chosen(template, variant, values, *, book=BOOK):
    return {name: values[name] for name in book.required(template, variant)}


def rendered(template, *, variant="standard", values=TYPICAL, case_id="case-1", book=BOOK, **options):
    variables = chosen(template, variant, values, book=book)
    return message.render(book, template=template, variant=variant, variables=variables, case_id=case_id, **options)


@pytest.mark.parametrize(("template", "variant", "opening", "values"), CASES)
def test_every_text_of_the_library_passes_the_lint(template, variant, opening, values):
    made = rendered(template, variant=variant, values=values, case_id=case_of(opening))
    assert made.opening_index == opening
    assert message.lint(made.text, template=template, variables=dict(made.variables)) == []
    assert "{" not in made.text


@pytest.mark.parametrize(("template", "variant", "opening", "values"), CASES)
def test_every_short_text_fits_one_sms_and_passes_the_lint(template, variant, opening, values):
    made = rendered(template, variant=variant, values=values, case_id=case_of(opening), short=True)
    assert made.text == made.short_text
    assert len(made.text) <= 160
    assert made.text.isascii()
    assert made.text.endswith("?")
    assert message.lint(made.text, template=template, variables=dict(made.variables)) == []


@pytest.mark.parametrize(("template", "variant", "family"), FAMILIES)
def test_every_family_has_its_own_empathy(template, variant, family):
    plain = rendered(template, variant=variant, values=EXTREME)
    special = rendered(template, variant=variant, values=EXTREME, family=family)
    assert special.text != plain.text
    assert message.lint(special.text, template=template, variables=dict(special.variables)) == []


def test_a_token_order_is_told_that_the_home_may_go_dark():
    assert "rumah pelanggan Anda bisa padam" in rendered("M01", family="pln_token").text
    assert "padam" not in rendered("M01", family="pulsa").text


def test_a_variant_with_its_own_empathy_keeps_it_for_every_family():
    cancelled = rendered("M01", variant="cancelled", family="pln_token").text
    assert cancelled == rendered("M01", variant="cancelled").text
    assert "di hadapan pelanggan" in cancelled


def test_the_library_has_every_template_the_stages_send():
    wanted = {"M01", "M02", "M03", "M04", "M05", "M06", "M11", "M13", "M14", "M15", "M16", "M19", "M22", "M26"}
    assert set(BOOK.templates) == wanted


@pytest.mark.parametrize(
    ("template", "variants"),
    [
        ("M01", {"standard", "balance_unknown", "cancelled", "customer", "operator"}),
        ("M05", {"standard", "customer", "operator"}),
        ("M06", {"standard", "balance_unknown", "no_voucher", "no_voucher_balance_unknown"}),
        ("M15", {"standard", "double_refund"}),
        ("M22", {"delivered", "refunded"}),
    ],
)
def test_a_template_has_a_variant_for_every_circumstance(template, variants):
    assert set(BOOK.templates[template].variants) == variants


def test_where_the_balance_is_shown_a_variant_does_without_it():
    for name, template in BOOK.templates.items():
        required = [set(variant.variables) for variant in template.variants.values()]
        if any("saldo" in variables for variables in required):
            assert any("saldo" not in variables for variables in required), name


def test_both_languages_have_the_same_templates_variants_and_variables():
    shapes = [
        {(t, v): variant.variables for t, found in book.templates.items() for v, variant in found.variants.items()}
        for book in BOOKS.values()
    ]
    assert shapes[0].keys() == shapes[1].keys()
    assert {k: set(v) for k, v in shapes[0].items()} == {k: set(v) for k, v in shapes[1].items()}


@pytest.mark.parametrize(("template", "variant", "opening", "values"), CASES)
def test_every_english_text_is_short_polite_and_asks(template, variant, opening, values):
    made = rendered(template, variant=variant, values=values, case_id=case_of(opening), book=BOOKS["en"])
    assert made.text.startswith("Hello")
    assert made.text.endswith("?")
    assert template == "M22" or re.search(r"sorry|apologise", made.text, re.IGNORECASE)
    assert len(made.text) <= 700
    assert len(made.short_text) <= 160
    assert made.short_text.endswith("?")


def test_a_case_always_gets_the_same_opening_and_cases_share_all_three():
    first = [rendered("M01", case_id=f"case-{n}").opening_index for n in range(60)]
    again = [rendered("M01", case_id=f"case-{n}").opening_index for n in range(60)]
    assert first == again
    assert set(first) == {0, 1, 2}


def test_the_acknowledgement_repeats_product_number_time_and_what_is_known():
    text = rendered("M02").text
    assert all(TYPICAL[name] in text for name in ("nama_agen", "produk", "tujuan", "waktu"))
    assert "masih diproses" in text or "belum" in text


def test_the_waiting_message_apologises_and_thanks_for_waiting():
    for opening in range(OPENINGS):
        text = rendered("M03", case_id=case_of(opening)).text
        assert re.search(r"terima kasih", text, re.IGNORECASE)


def test_a_missing_or_empty_variable_is_refused():
    values = chosen("M01", "standard", TYPICAL)
    for broken in ({k: v for k, v in values.items() if k != "jumlah"}, values | {"jumlah": " \n "}):
        with pytest.raises(MessageError, match="jumlah"):
            message.render(BOOK, template="M01", variables=broken, case_id="case-1")


def test_a_variable_the_template_does_not_know_is_refused():
    values = chosen("M01", "standard", TYPICAL) | {"pin": "1234"}
    with pytest.raises(MessageError, match="pin") as refused:
        message.render(BOOK, template="M01", variables=values, case_id="case-1")
    assert "1234" not in str(refused.value)


def test_a_variable_of_another_variant_may_be_given():
    values = chosen("M01", "standard", TYPICAL)
    made = message.render(BOOK, template="M01", variant="balance_unknown", variables=values, case_id="case-1")
    assert TYPICAL["saldo"] not in made.text
    assert "saldo" not in dict(made.variables)


@pytest.mark.parametrize(("template", "variant"), [("M99", "standard"), ("M01", "nobody"), ("M22", "standard")])
def test_an_unknown_template_or_variant_is_refused(template, variant):
    with pytest.raises(MessageError, match=template):
        message.render(BOOK, template=template, variant=variant, variables={}, case_id="case-1")


def test_a_value_is_text_and_never_a_template_again():
    hostile = "{saldo} {nama_agen.__class__} {{7*7}} %s"
    made = rendered("M01", values=TYPICAL | {"produk": hostile})
    assert hostile in made.text


def test_a_value_loses_controls_direction_marks_and_emoji():
    made = rendered("M01", values=TYPICAL | {"nama_agen": "An\r\ndi\x1b[2J \u202eCell\U0001f600!!!\u200b"})
    assert "Halo, An di[2J Cell." in made.text
    assert made.text.isprintable()


def test_a_name_that_ends_in_a_dot_does_not_end_in_two():
    assert "Halo, Maju Tbk. " in rendered("M01", values=TYPICAL | {"nama_agen": "Maju Tbk."}).text
    assert ".." not in rendered("M02", values=EXTREME).short_text


def test_a_long_name_is_cut_at_a_word_and_a_long_number_of_facts_is_not():
    made = rendered("M06", values=EXTREME)
    name, product = dict(made.variables)["nama_agen"], dict(made.variables)["produk"]
    assert name == "PT. Juragan Bos Pulsa H. Muhammad Error"
    assert len(product) <= 60
    assert EXTREME["kode_voucher"] in made.short_text
    assert EXTREME["jumlah"] in made.short_text


def test_the_variables_come_in_the_order_a_whatsapp_template_takes_them():
    made = rendered("M02")
    assert [name for name, _ in made.variables] == ["nama_agen", "produk", "tujuan", "waktu", "jam_kabar"]


def test_the_repr_of_a_message_shows_no_number_and_no_text():
    made = rendered("M05", values=TYPICAL | {"tujuan": "081234567890"})
    assert "081234567890" not in repr(made)
    assert TYPICAL["nomor_seri"] not in repr(made)


def test_the_audience_of_a_variant_is_known():
    assert rendered("M01").audience is message.Audience.AGENT
    assert rendered("M01", variant="customer").audience is message.Audience.CUSTOMER
    assert rendered("M02", variant="operator").audience is message.Audience.OPERATOR


def test_a_customer_is_never_addressed_by_an_agents_name():
    for template in ("M01", "M05"):
        assert "nama_agen" not in BOOK.required(template, "customer")


def test_no_message_takes_money_back_without_asking():
    for variant in BOOK.templates["M15"].variants:
        made = rendered("M15", variant=variant)
        assert "tanpa persetujuan" in made.text
        assert "Bersediakah Anda" in made.text.rpartition(". ")[2]


def _without(key):
    def change(table):
        del table[key]

    return change


def _set(key, value):
    def change(table):
        table[key] = value

    return change


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_without("empathy"), "empathy"),
        (_without("responsibility"), "responsibility"),
        (_without("steps"), "steps"),
        (_without("short"), "short"),
        (_without("variables"), "variables"),
        (_without("title"), "title"),
        (_set("empathy", "  "), "empathy"),
        (_set("openings", ["Halo, {nama_agen}.", "Halo."]), "3 different openings"),
        (_set("openings", ["Halo, {nama_agen}."] * 3), "3 different openings"),
        (_set("steps", "Apakah {rahasia} benar?"), "rahasia"),
        (_set("steps", "Apakah {nama_agen.__class__} benar?"), "brace"),
        (_set("steps", "Apakah {jumlah:>99} benar?"), "brace"),
        (_set("steps", "Apakah {} benar?"), "brace"),
        (_set("audience", "siapa saja"), "audience"),
        (_set("promo", "Beli lagi."), "unknown keys"),
        (_set("variants", {"x": {"stepz": "Apakah?"}}), "unknown keys"),
        (_set("variants", []), "table"),
        (_set("variables", ["nama_agen", 7]), "list of texts"),
        (_set("empathy_by_family", {"pln_token": ""}), "pln_token"),
    ],
)
def test_a_faulty_template_is_refused_when_it_is_loaded(change, complaint):
    mapping = copy.deepcopy({key: value for key, value in load("id").items() if key in ("language", "version", "M02")})
    change(mapping["M02"])
    with pytest.raises(MessageError, match=complaint):
        message.parse_templates(mapping)


def test_a_declared_variable_that_nothing_uses_is_refused():
    mapping = load("id")
    mapping["M26"]["variables"].append("saldo")
    with pytest.raises(MessageError, match=r"M26 declares variables it never uses.*saldo"):
        message.parse_templates(mapping)


def test_a_text_with_fewer_than_three_variables_is_not_personal():
    texts = {"openings": ["A {a}.", "B {a}.", "C {a}."], "empathy": "Ya.", "responsibility": "Ya.", "steps": "Ya {b}?"}
    mapping = {
        "language": "id",
        "version": "1",
        "M01": {"title": "x", "variables": ["a", "b"], "short": "{a}?", **texts},
    }
    with pytest.raises(MessageError, match="at least 3 variables"):
        message.parse_templates(mapping)


def test_a_book_without_language_or_with_a_loose_value_is_refused():
    with pytest.raises(MessageError, match="language"):
        message.parse_templates({"version": "1"})
    with pytest.raises(MessageError, match="M01 needs a table"):
        message.parse_templates({"language": "id", "version": "1", "M01": "teks"})


REASONS = tomllib.loads((CONFIG / "reasons.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("key", message.REASON_KEYS)
def test_every_reason_makes_a_message_that_passes_the_lint(key):
    reasons = message.parse_reasons(REASONS)
    made = rendered("M01", values=TYPICAL | {"alasan_sederhana": reasons.sentence(key)})
    assert message.lint(made.text, template="M01") == []
    assert reasons.sentence(key, language="en") != reasons.sentence(key)


def test_a_cause_without_a_sentence_is_honestly_unknown():
    reasons = message.parse_reasons(REASONS)
    assert reasons.sentence("sunspots") == reasons.sentence("unknown") == "masih kami telusuri"


def test_a_reason_dictionary_with_a_gap_is_refused():
    with pytest.raises(MessageError, match="busy"):
        message.parse_reasons({key: value for key, value in REASONS.items() if key != "busy"})
    with pytest.raises(MessageError, match="reason busy needs a text for en"):
        message.parse_reasons(REASONS | {"busy": {"id": "sibuk"}})


AT = datetime(2026, 11, 22, 7, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("WIB", "22 November 2026 pukul 14.05 WIB"),
        ("Asia/Jakarta", "22 November 2026 pukul 14.05 WIB"),
        ("Asia/Pontianak", "22 November 2026 pukul 14.05 WIB"),
        ("WITA", "22 November 2026 pukul 15.05 WITA"),
        ("Asia/Makassar", "22 November 2026 pukul 15.05 WITA"),
        ("Asia/Jayapura", "22 November 2026 pukul 16.05 WIT"),
    ],
)
def test_an_instant_is_written_in_the_agents_zone(zone, text):
    assert message.format_instant(AT, zone) == text
    assert message.format_instant(AT.astimezone(timezone(timedelta(hours=-5))), zone) == text


def test_an_instant_late_in_the_utc_day_is_tomorrow_in_indonesia():
    assert message.format_instant(datetime(2026, 12, 31, 17, 0, tzinfo=UTC), "WIB") == "1 Januari 2027 pukul 00.00 WIB"


def test_an_hour_names_the_day_only_when_it_is_another_one():
    tomorrow = AT + timedelta(hours=18)
    assert message.format_hour(AT, "WIB") == "14.05 WIB"
    assert message.format_hour(AT + timedelta(hours=1), "WIB", now=AT) == "15.05 WIB"
    assert message.format_hour(tomorrow, "WIB", now=AT) == "08.05 WIB tanggal 23 November"
    assert message.format_hour(tomorrow, "WIB", now=AT, language="en") == "08.05 WIB on 23 November"


def test_the_day_changes_at_midnight_of_the_agent_not_of_utc():
    before, after = datetime(2026, 11, 22, 16, 30, tzinfo=UTC), datetime(2026, 11, 22, 17, 30, tzinfo=UTC)
    assert message.format_hour(after, "WIB", now=before) == "00.30 WIB tanggal 23 November"
    assert message.format_hour(after + timedelta(hours=7), "WIB", now=after) == "07.30 WIB"


def test_instants_have_english_words_too():
    assert message.format_instant(AT, "WIB", language="en") == "22 November 2026 at 14.05 WIB"


@pytest.mark.parametrize("at", [datetime(2026, 11, 22, 7, 5), AT])  # noqa: DTZ001 - a naive instant is the case tested
def test_a_naive_instant_or_a_foreign_zone_is_refused(at):
    zone = "WIB" if at.tzinfo is None else "Europe/Berlin"
    with pytest.raises(MessageError):
        message.format_instant(at, zone)


@pytest.mark.parametrize(
    ("seconds", "indonesian", "english"),
    [
        (-5, "kurang dari 1 menit", "less than 1 minute"),
        (59, "kurang dari 1 menit", "less than 1 minute"),
        (60, "1 menit", "1 minute"),
        (8_100, "2 jam 15 menit", "2 hours 15 minutes"),
        (86_400, "1 hari", "1 day"),
        (86_400 + 3_600 + 60, "1 hari 1 jam", "1 day 1 hour"),
    ],
)
def test_a_duration_is_written_in_its_two_largest_units(seconds, indonesian, english):
    duration = timedelta(seconds=seconds)
    assert message.format_duration(duration) == indonesian
    assert message.format_duration(duration, language="en") == english
