"""What the API knows of the Hub: commits, local snapshots of them, and rows selected from those.

No HTTP answers here.
"""
