from datetime import date

from postgrest import ReturnMethod

from tarn import OTHER_TOKEN, Case, connect


class Writes(Case):
    def setUp(self):
        self.db.rpc("reset", {}).execute()
        self.stock = self.db.from_("stock")
        self.members = self.db.from_("members")

    def in_stock(self, want):
        self.column("id", self.stock.select("id").order("id"), want)

    def test_insert(self):
        self.rows(
            self.stock.insert({"name": "reed", "spec": {"mm": [71, 72]}}),
            [{"id": 4, "name": "reed", "quantity": 1, "note": "as new", "spec": {"mm": [71, 72]}}],
        )
        self.rows(self.stock.insert({"name": "peg"}).select("key:id, name"), [{"key": 5, "name": "peg"}])
        self.rows(self.stock.insert({"name": "pin"}, returning=ReturnMethod.minimal), [])
        self.in_stock([1, 2, 3, 4, 5, 6])

    def test_insert_several_rows(self):
        given = [{"name": "reed", "quantity": 2}, {"name": "peg", "note": "used"}]
        answer = self.stock.insert(given, count="exact").select("name, quantity, note").execute()
        self.assertEqual(answer.count, 2)
        self.assertEqual(
            answer.data, [{"name": "reed", "quantity": 2, "note": None}, {"name": "peg", "quantity": None, "note": "used"}]
        )
        self.rows(
            self.stock.insert(given, default_to_null=False).select("name, quantity, note"),
            [{"name": "reed", "quantity": 2, "note": "as new"}, {"name": "peg", "quantity": 1, "note": "used"}],
        )

    def test_insert_all_or_none(self):
        self.fails("23505", self.stock.insert([{"id": 20, "name": "reed"}, {"id": 20, "name": "peg"}]))
        self.in_stock([1, 2, 3])

    def test_insert_unusual_values(self):
        name = 'a "quoted" \\ back\nslash, (and) 👋'
        self.rows(self.stock.insert({"name": name, "note": date(2031, 5, 4)}).select("name, note"), [{"name": name, "note": "2031-05-04"}])
        self.rows(self.stock.select("id").eq("name", name), [{"id": 4}])

    def test_update(self):
        self.rows(
            self.stock.update({"name": "baton"}).eq("id", 1),
            [{"id": 1, "name": "baton", "quantity": 4, "note": "as new", "spec": {"wood": "pernambuco"}}],
        )
        answer = self.stock.update({"note": "sold"}, count="exact", returning=ReturnMethod.minimal).gt("quantity", 0).execute()
        self.assertEqual((answer.count, answer.data), (2, []))
        self.rows(self.stock.update({"note": "sold"}).eq("id", 99), [])

    def test_update_json(self):
        self.rows(
            self.stock.update({"spec": {"wood": "carbon"}}).eq("spec->>wood", "pernambuco").select("spec"),
            [{"spec": {"wood": "carbon"}}],
        )

    def test_upsert(self):
        self.rows(
            self.stock.upsert([{"id": 1, "name": "baton"}, {"id": 8, "name": "harp"}]).select("id, name").order("id"),
            [{"id": 1, "name": "baton"}, {"id": 8, "name": "harp"}],
        )
        self.rows(self.stock.upsert({"id": 8, "name": "lyre"}).select("name, quantity"), [{"name": "lyre", "quantity": 1}])

    def test_upsert_on_conflict(self):
        error = self.fails("23505", self.members.upsert({"id": 42, "handle": "ines", "display_name": "I."}))
        self.assertEqual(error.details, "Key (handle)=(ines) already exists.")
        self.rows(
            self.members.upsert({"handle": "tomasz", "display_name": "Tomek"}, on_conflict="handle"),
            [{"id": 2, "handle": "tomasz", "display_name": "Tomek"}],
        )

    def test_upsert_ignoring_duplicates(self):
        self.column(
            "handle",
            self.members.upsert(
                [{"handle": "ines", "display_name": "X"}, {"handle": "aiko"}], on_conflict="handle", ignore_duplicates=True
            ),
            ["aiko"],
        )
        self.column("display_name", self.members.select("display_name").eq("handle", "ines"), ["Ines"])

    def test_delete(self):
        self.column("name", self.stock.delete().eq("id", 3), ["mute"])
        answer = self.stock.delete(count="exact", returning=ReturnMethod.minimal).in_("id", [2, 3]).execute()
        self.assertEqual((answer.count, answer.data), (1, []))
        self.in_stock([1])

    def test_max_affected(self):
        self.column("id", self.stock.update({"note": "x"}).eq("id", 1).max_affected(1), [1])
        self.fails("PGRST124", self.stock.update({"note": "y"}).gt("id", 0).max_affected(2))
        self.fails("PGRST124", self.stock.delete().gt("id", 1).max_affected(1))
        self.in_stock([1, 2, 3])
        self.column("note", self.stock.select("note").order("id"), ["x", "as new", "as new"])

    def test_row_level_security(self):
        mine, theirs = self.db.from_("notes"), connect(OTHER_TOKEN).from_("notes")
        mine.insert({"body": "mine"}).execute()
        theirs.insert({"body": "theirs"}).execute()
        self.column("body", mine.select("body"), ["mine"])
        self.column("body", theirs.select("body"), ["theirs"])
        self.fails("42501", mine.insert({"owner": "postgres", "body": "forged"}))
