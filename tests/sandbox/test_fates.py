from collections import Counter
from datetime import time, timedelta
from itertools import pairwise

import pytest

from rekon.sandbox import fate_limits, fate_recipes
from rekon.sandbox.catalog import WIB, price_list
from rekon.sandbox.fates import IMPORTED_AGES, tell_story
from rekon.sandbox.people import OWN_SHOP
from tests.sandbox.played import sale_of, told

SEEDS = (0, 1, 7, 20_261_116)


@pytest.fixture(scope="module", params=SEEDS)
def story(request):
    return told(request.param)


def test_a_seed_tells_one_story():
    assert tell_story(5) == tell_story(5)


def test_another_seed_tells_another_story():
    assert tell_story(5).sales != tell_story(6).sales


def test_a_story_holds_the_orders_it_was_asked_for(story):
    assert len(story.sales) == 2000


def test_every_fate_happens_as_often_as_its_recipe_says(story):
    told = story.fates()
    wanted = Counter()
    for recipe in fate_recipes.RECIPES:
        wanted[f"{recipe.source}.{recipe.name}"] += recipe.count * (2 if recipe.twin else 1)

    assert {name: told[name] for name in wanted} == dict(wanted)
    assert sum(count for name, count in told.items() if name.endswith(".plain")) > 1600
    assert [told[f"toko.pending_since_{days}_days"] for days in (81, 400)] == [3, 3]


def test_most_orders_are_plain_successes(story):
    delivered = sum(sale.traits.steps[-1].state == "success" for sale in story.sales)
    assert delivered > 0.9 * len(story.sales)


def test_a_story_fits_into_the_hours_in_which_agents_may_be_told(story):
    begin, end = story.starts_at.astimezone(WIB), story.ends_at.astimezone(WIB)
    assert time(8) <= begin.time()
    assert end.time() <= time(20, 30)
    assert begin.date() == end.date()
    assert story.ends_at - story.starts_at >= timedelta(hours=4)
    assert all(story.starts_at <= sale.ordered_at < story.orders_end_at for sale in story.sales)


def test_a_story_has_more_than_forty_agents_and_each_sells(story):
    sellers = {sale.agent_id for sale in story.sales}
    assert len(story.agents) >= 40
    assert sellers == {agent.agent_id for agent in story.agents} | {OWN_SHOP}


def test_only_the_shop_sells_for_cash_or_from_the_deposit(story):
    assert {(s.agent_id == OWN_SHOP, s.traits.charged == "agent_wallet") for s in story.sales} == {
        (True, False),
        (False, True),
    }


def test_refunds_stay_inside_the_operators_own_limits(story):
    assert fate_limits.objections(story.sales) == []


def test_a_storm_of_failures_is_objected_to():
    failing = sale_of("refused_at_once")
    crowd = [failing] * (fate_limits.REFUNDS_AN_HOUR + 1)

    assert "too many refunds in one hour" in fate_limits.objections(crowd)
    assert "too many refunds for one agent" in fate_limits.objections(crowd)
    assert f"a storm of failures at {failing.provider}" in fate_limits.objections(crowd)


def test_what_an_agent_may_be_owed_is_small_and_spread(story):
    owed = [sale for sale in story.sales if fate_limits.refund_near(sale) is not None]
    dear = [sale for sale in owed if sale.product.price > 105_000]

    assert len(owed) >= 90
    assert [sale.fate for sale in dear] == ["refused_dear"] * 2
    assert max(Counter(sale.agent_id for sale in owed).values()) <= fate_limits.PER_AGENT


def test_equal_orders_happen_only_on_purpose(story):
    groups = {}
    for sale in story.sales:
        groups.setdefault((sale.agent_id, sale.destination, sale.product.code), []).append(sale)
    for group in groups.values():
        fates = {sale.fate for sale in group}
        if len(group) > 1:
            assert fates <= {"equal_both_delivered", "equal_second_failed", "wanted_repeat"}
            assert all(later.ordered_at - first.ordered_at < timedelta(seconds=120) for first, later in pairwise(group))
            assert [bool(sale.repeat_counter) for sale in group] == [False, fates == {"wanted_repeat"}]


def test_agents_who_get_too_much_are_met_by_no_double_debit(story):
    surplus = {sale.agent_id for sale in story.sales if sale.fate == "credited_twice"}
    assert not surplus & {sale.agent_id for sale in story.sales if sale.fate == "debited_twice"}


def test_serial_numbers_are_drawn_once_and_fit_their_instant(story):
    steps = [(sale, step) for sale in story.sales for step in sale.traits.steps if len(step.serial_number) > 1]
    serials = [step.serial_number for _, step in steps]
    assert len(set(serials)) == len(serials)
    for sale, step in steps:
        if sale.product.brand == "tri":
            at = (sale.ordered_at + timedelta(seconds=step.after)).astimezone(WIB)
            assert step.serial_number.startswith(f"{at:%m%d%H%M%S}")
        if sale.product.family == "pln_token":
            assert len(step.serial_number.partition("/")[0].replace("-", "")) == 20


def test_every_product_has_a_price_at_its_provider(story):
    assert all(sale.product.sku(sale.provider) in price_list(sale.provider) for sale in story.sales)
    assert all(sale.product.cost < sale.product.price for sale in story.sales)


def test_pending_orders_end_well_before_or_well_after_five_minutes(story):
    for sale in story.sales:
        steps = sale.traits.steps
        if steps[0].state == "pending" and len(steps) > 1:
            assert steps[1].after < 200 or steps[1].after > 480


def test_a_failure_that_turns_does_so_well_inside_or_well_after_its_hold(story):
    for sale in story.sales:
        for step, later in pairwise(sale.traits.steps):
            if step.state == "failed" and step.code not in {"01", "70"}:
                assert later.after - step.after <= 100 or later.after - step.after >= 1800


def test_imported_orders_are_too_old_to_be_asked_about(story):
    ages = [(story.starts_at - sale.ordered_at).days for sale in story.imported]
    assert tuple(ages) == IMPORTED_AGES
    assert {sale.provider for sale in story.imported} == {"digiflazz"}


def test_too_few_orders_are_refused():
    with pytest.raises(ValueError, match="too few"):
        tell_story(1, orders=50)


def test_a_story_that_cannot_stay_ordinary_is_refused():
    with pytest.raises(ValueError, match="inside the limits"):
        tell_story(1, orders=400, hours=0.5)


def test_a_failure_whose_charge_stays_is_not_expected_back():
    assert fate_limits.refund_near(sale_of("timed_out_kept")) is None
    assert fate_limits.refund_near(sale_of("timed_out")) is not None
