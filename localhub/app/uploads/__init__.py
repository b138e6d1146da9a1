"""Endpoints that write: uploads by LFS and Xet, and the commit that makes them visible.

uploads                 preupload and LFS
commits                 the commit endpoint
xet                     xorbs and shards of hf-xet
signing                 signed permissions for storage URLs
"""
