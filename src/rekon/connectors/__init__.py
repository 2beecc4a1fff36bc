"""The doors to the outside: whom rekon asks, where it reads, how money goes back and how a message leaves.

May import `domain`, httpx and tenacity, never `store`: a connector is given what it needs and returns what it heard.
No unit of work is open while one of these speaks. Only a question is ever repeated by itself; a payment never is.
Start reading at `providers` (status questions), then `gateways` (money), `channels` (messages), `sources` (books).
"""
