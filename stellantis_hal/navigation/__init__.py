"""Walking from document to document, over any HAL API.

Knows documents and the Fetch protocol. Must not know an HTTP library, credentials, or one vendor's words.
"""
