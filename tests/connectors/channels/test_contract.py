"""What a message and a delivery show, and what they keep to themselves."""

from rekon.connectors.channels.contract import DeliveryState, refused, retry, sent, unknown
from tests.connectors.channels.parts import ANSWER_URL, NUMBER, TEXT, make_message


def test_the_repr_of_a_message_shows_no_number_no_text_and_no_link():
    shown = repr(make_message())
    assert "msg_1" in shown
    assert all(secret not in shown for secret in (NUMBER, TEXT, ANSWER_URL, "Andi Cell"))


def test_the_repr_of_a_delivery_shows_no_reference():
    assert "wamid" not in repr(sent("wamid.628123"))


def test_the_answer_link_stands_on_a_line_of_its_own():
    assert make_message().text_with_link() == f"{TEXT}\n\nYA / TIDAK: {ANSWER_URL}"
    assert make_message(answer_url="").text_with_link() == TEXT


def test_a_delivery_is_one_of_four_states():
    states = [delivery.state for delivery in (sent(), refused("x"), retry("x"), unknown("x"))]
    assert states == [DeliveryState.SENT, DeliveryState.REFUSED, DeliveryState.RETRY, DeliveryState.UNKNOWN]
