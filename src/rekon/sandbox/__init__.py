"""The outside world, played: providers, two servers with wallets, an inbox, a clock and a judge.

Written from the providers' own documentation and importing nothing of the rest of rekon, so that one misreading is not
made twice. Start at `wire.py` and `plan.py` (what a provider core is told), then `dialects/` and `world.py`.
"""
