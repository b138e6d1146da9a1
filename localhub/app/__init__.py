"""The Hub over HTTP: ASGI endpoints that join `store` and `protocol`.

What is kept, and how it looks on the wire, is decided in those two.
"""
