"""Facts that the vendor decided: hosts, brands, scopes, gateway conventions."""
