"""Typed resources of the vehicle API: what the vendor documents, read tolerantly.

One module for each resource; the blocks that several of them share are in :mod:`stellantis_hal.resources.blocks`.
"""
