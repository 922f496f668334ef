import unittest

from tarn import ALLOWS_ANONYMOUS, EXPIRED_TOKEN, OTHER_TOKEN, Case, connect


class Errors(Case):
    def test_names(self):
        error = self.fails("PGRST205", self.db.from_("countrys").select("*"))
        self.assertEqual(error.message, "Could not find the table 'public.countrys' in the schema cache")
        self.assertEqual(error.hint, "Perhaps you meant the table 'public.countries'")
        self.fails("42703", self.db.from_("countries").select("nme"))
        self.fails("PGRST204", self.db.from_("stock").insert({"nme": "x"}))
        self.fails("PGRST202", self.db.rpc("hello_wrld", {}))
        self.fails("PGRST200", self.db.from_("countries").select("*, instruments(*)"))
        self.assertEqual(len(self.fails("PGRST201", self.db.from_("messages").select("*, users(*)")).details), 2)

    def test_syntax(self):
        self.fails("PGRST100", self.db.from_("countries").select("id,name("))
        self.fails("22P02", self.db.from_("countries").select("*").eq("id", "one"))

    def test_constraints(self):
        self.assertEqual(
            self.fails("23505", self.db.from_("members").insert({"handle": "ines"})).details, "Key (handle)=(ines) already exists."
        )
        self.fails("23503", self.db.from_("loans").insert({"member_id": 1, "stock_id": 999}))
        self.fails("23502", self.db.from_("members").insert({"display_name": "No one"}))

    def test_raised(self):
        error = self.fails("PT418", self.db.rpc("refuse", {"reason": "no coffee"}))
        self.assertEqual((error.message, error.details, error.hint), ("no coffee", "It is a teapot", "Try the kettle"))

    def test_rights(self):
        self.assertEqual(self.fails("42501", self.db.from_("vault").select("*")).message, "permission denied for table vault")
        self.fails("42501", self.db.from_("ledger").update({"amount": 0}).eq("id", 1))

    def test_head(self):
        """There is no body, so the client reads the code from a header."""
        self.fails("42501", self.db.from_("vault").select("*", head=True))
        self.fails("PGRST205", self.db.from_("nowhere").select("*", head=True))


class Tokens(Case):
    def test_role(self):
        me = self.db.rpc("who_am_i", {}).execute().data
        other = connect(OTHER_TOKEN).rpc("who_am_i", {}).execute().data
        self.assertNotEqual(me["role"], other["role"])
        self.assertEqual([me["claims"]["sub"], other["claims"]["sub"]], ["ann@example.com", "bob@example.com"])

    def test_auth(self):
        self.assertEqual(connect("").auth(OTHER_TOKEN).rpc("who_am_i", {}).execute().data["claims"]["sub"], "bob@example.com")

    def test_bad(self):
        self.fails("PGRST301", connect("nonsense").from_("countries").select("*"))

    @unittest.skipUnless(EXPIRED_TOKEN, "there is none")
    def test_expired(self):
        self.assertEqual(self.fails("PGRST303", connect(EXPIRED_TOKEN).from_("countries").select("*")).message, "JWT expired")

    @unittest.skipUnless(ALLOWS_ANONYMOUS, "there is no anonymous role")
    def test_anonymous(self):
        anonymous = connect("")
        self.rows(anonymous.from_("countries").select("id").eq("id", 1), [{"id": 1}])
        self.fails("42501", anonymous.from_("vault").select("*"))
