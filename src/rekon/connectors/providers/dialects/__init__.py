"""How replies are taken apart, one module a dialect; the only code a provider may need.

A dialect turns bytes into `said.Said` or raises `said.UnreadableError`; `said.judge` turns that into a `Reading`.
It knows no provider by name: everything particular stands in `provider.toml`.
Start reading at `said.py`, then `json.py` and `text.py`.
"""
