"""What the tests share: clients of the server under test, and a case that knows the two outcomes of a request."""

import os
import unittest

from httpx import Client
from postgrest import APIError, SyncPostgrestClient

URL = os.environ["TARN_URL"]
TOKEN = os.environ["TARN_TOKEN"]
OTHER_TOKEN = os.environ["TARN_OTHER_TOKEN"]
EXPIRED_TOKEN = os.environ.get("TARN_EXPIRED_TOKEN")
ALLOWS_ANONYMOUS = os.environ.get("TARN_ANONYMOUS") == "yes"

session = Client()  # one for all, since each takes a while to make


def connect(token=TOKEN, schema="public"):
    """A client with a token, or without one if that is ''."""
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return SyncPostgrestClient(URL, schema=schema, headers=headers, http_client=session)


class Case(unittest.TestCase):
    maxDiff = None
    db = connect()

    def rows(self, query, want):
        """Checks the data of a query that must succeed."""
        self.assertEqual(query.execute().data, want)

    def column(self, name, query, want):
        """Checks the values of a column, in the order of the rows."""
        self.assertEqual([row[name] for row in query.execute().data], want)

    def keeps(self, relation, filter, want):
        """Checks which ids the rows have that a filter leaves."""
        self.column("id", filter(self.db.from_(relation).select("id")).order("id"), want)

    def fails(self, code, query):
        """The error of a query that must fail with a code."""
        with self.assertRaises(APIError) as raised:
            query.execute()
        self.assertEqual(raised.exception.code, code, raised.exception.message)
        return raised.exception
