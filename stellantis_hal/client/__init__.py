"""The client of the vendor's API, and its accounts."""
