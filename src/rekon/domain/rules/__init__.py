"""One module a family of breaks. Every rule is a pure function `(Facts) -> list[Decision]`.

Start at `decide.py` beside this folder, which runs them all in order.
"""
