"""Datasets that installed packages bring, seen from landing to `load_dataset`; nothing of the product knows them."""
