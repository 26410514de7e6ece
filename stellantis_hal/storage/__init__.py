"""What several layers use to keep state: databases, locks, leases, and files that are replaced as a whole."""
