"""Storage shared by several layers: databases on disk."""
