"""Bytes on disk: blobs, xorbs, secrets, and how much room there is.

blobs                   each content once, named by its SHA-256
xorbs                   xorbs until their shard arrives
space                   how much may still be stored
secretfile              secrets in files only their owner can read
"""
