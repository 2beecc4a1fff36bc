"""rekon compares every top-up sold with what the provider says happened, and puts right the ones that went wrong.

Rooms, from the bottom up: `domain` (pure rules), `store` and `connectors` (tables; the outside), `stages` and `desk`
(the six steps; the staff's pages), then `bootstrap`, `daemon` and `cli`, which put them together. `sandbox` plays the
outside world and knows none of them. Start reading at `domain/decision.py` for what is decided and `stages` for when.
"""

__version__ = "0.1.0"
