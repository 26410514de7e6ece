"""Pagination: walking a collection item by item or page by page."""
