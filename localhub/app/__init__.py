"""The Hub over HTTP: ASGI endpoints that join `store` and `protocol`.

asgi                    the application: every URL and its endpoint
requests                what every endpoint uses
repos                   endpoints about repositories
uploads                 endpoints that write
edge                    what is refused before routing, and the headers of every answer
"""
