"""How long and how often a gateway is asked, and when a key may be told to it again (reliability 4.3)."""

from datetime import timedelta

from rekon.connectors.gateways.contract import Gateway, GatewayClass

HALTED_WAIT = timedelta(seconds=60)
ATTEMPTS_MAX = 8
_NOT_FOUND_IS_UNKNOWN = timedelta(minutes=10)


def may_tell_again(gateway: Gateway, age: timedelta) -> bool:
    """Say whether a key the gateway does not know may be told again (reliability 4.3)."""
    if gateway.gateway_class is GatewayClass.G2:
        return age.total_seconds() < gateway.window_seconds / 2
    return gateway.gateway_class is GatewayClass.G1 and age >= _NOT_FOUND_IS_UNKNOWN
