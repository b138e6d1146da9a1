"""A Hugging Face Hub for one machine: the HTTP API that unchanged huggingface_hub and datasets speak, kept on disk.

Of the rest of the project it imports `datahub_system.net` and `datahub_system.files` only.

store                   repositories, commits and bytes on disk; knows nothing of HTTP
protocol                the wire shapes, as pure functions
app                     joins the two behind ASGI
server                  the process: home, socket, ready line
maintenance             the thread that keeps histories short and frees what is unused
cli                     `python -m localhub`
names                   what repositories, branches and paths may be called
errors                  what a caller may be refused with
webhook                 telling a URL of changes
testing                 the Hub inside a test
faults                  how it misbehaves there
"""
