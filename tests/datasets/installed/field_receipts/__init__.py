"""Receipts by their growing number: a dataset that an installed package brings."""
