"""Asking a provider what became of a purchase, and reading what it says.

May import `domain`, httpx and tenacity. A provider is a folder of data (`provider.toml` and its samples), code exists
for a dialect only. A word the folder does not list means UNKNOWN, and a reply about another purchase is no reply.
A status check that can buy is refused before any byte leaves unless the purchase is proved to have been made.
"""
