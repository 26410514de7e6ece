"""Typed resources: what the vendor documents, read tolerantly.

Knows the vendor's fields, units and oddities, and links by their names. Must not know addresses, HTTP or credentials.

::

    plan ──▶ generated ──▶ compiled     how a class is read: one straight-line reader for each
    leaves, instants, enumerations      how a single value is read
    parts ──▶ resource ──▶ reader       values; values bound to a place; what binds them
    vehicle, trip, status, …            one module for each family; verbs, history: how they are asked for
"""
