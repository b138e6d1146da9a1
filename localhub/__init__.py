"""A Hugging Face Hub for one machine: the HTTP API that unchanged huggingface_hub and datasets speak, kept on disk.

Three rooms: `store` keeps repositories, commits and bytes and knows nothing of HTTP; `protocol` holds the wire shapes
as pure functions; `app` joins the two behind ASGI. Nothing here may import from the rest of the project.
"""
