"""HTTP backends."""
