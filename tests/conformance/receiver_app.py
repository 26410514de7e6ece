"""A receiver for ASGI servers that run it in a process of their own; its inbox is named by the environment."""

import os

from stellantis_hal import Receiver, SQLiteInbox

PATH = "/messages/webhook"  # that of the vendor's specification of notifications
TOKEN = "s3cr3t"

receiver = Receiver(
    SQLiteInbox(os.environ.get("STELLANTIS_HAL_TEST_INBOX", "inbox.db")), path=PATH, token=TOKEN, max_body=1_000_000
)
