"""Addresses of the vendor's servers."""

__all__ = ["API_URL", "CERTIFICATE_API_URL", "IDENTITY_URL", "PARTNER_URL"]

API_URL = "https://api.groupe-psa.com/connectedcar/v4"
"""The API for applications without a client certificate."""

CERTIFICATE_API_URL = "https://api-cert.groupe-psa.com/connectedcar/v4"
"""The API for applications with a client certificate (mutual TLS)."""

PARTNER_URL = "https://api-cert.groupe-psa.com/connectedcar/v3"
"""The API for partners (B2B)."""

IDENTITY_URL = "https://idpcvs.{domain}/am/oauth2"
"""The OAuth2 server of a brand; ``{domain}`` stands for the brand's domain."""
