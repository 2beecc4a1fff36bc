"""Whole days of business played in seconds: a virtual clock, seeded faults and oracles that watch the books.

May import everything, because it is the rehearsal of everything; nothing but the command line imports it.
A run is a pure function of its scenario and seed: the same two give the same log, byte for byte.
Start reading at the scenario runner, then at the oracles, which know only what must never happen.
"""
