"""The pages and the API: the staff's queue, the agents' alerts, incoming rows and the callback door.

May import `domain` and `store`. It reads rows and records wishes; it never calls a provider, a gateway or a channel.
The check of a callback's signature is handed in by the composition root. A callback is answered with 200 only after
its raw body is stored, so that no provider believes we know what we do not.
"""
