"""Measurements behind the claims of the README, side by side with peers; nothing here is part of the product."""
