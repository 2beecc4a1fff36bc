"""One pure provider per dialect, each told its orders' fates beforehand.

They may import `wire`, `plan`, `journal` and `deposit`, and know only what the providers' own documentation says.
Start at `core.py`: orders, steps, charges and callbacks; each dialect adds how it speaks.
"""
