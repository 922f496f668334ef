from tarn import Case


class Rpc(Case):
    def test_arguments(self):
        self.rows(self.db.rpc("hello_world", {}), "Hello world")
        self.rows(self.db.rpc("echo", {"say": '👋 "hi"'}), '👋 "hi"')
        self.rows(self.db.rpc("add_up", {"a": 1}), 11)
        self.rows(self.db.rpc("add_one_each", {"arr": [1, 2, 3]}), [2, 3, 4])
        self.rows(self.db.rpc("longest", {"words": ["a", "long, one", "bb"]}), "long, one")
        self.rows(self.db.rpc("greeting", {"person": {"name": "Aiko"}}), {"hello": "Aiko"})

    def test_get(self):
        self.rows(self.db.rpc("hello_world", {}, get=True), "Hello world")
        self.rows(self.db.rpc("echo", {"say": "a&b=c, d"}, get=True), "a&b=c, d")
        self.rows(self.db.rpc("add_one_each", {"arr": [1, 2, 3]}, get=True), [2, 3, 4])
        self.rows(self.db.rpc("greeting", {"person": {"name": "Aiko"}}, get=True), {"hello": "Aiko"})
        self.fails("25006", self.db.rpc("lend_all", {"member": 1}, get=True))

    def test_head(self):
        self.assertEqual(self.db.rpc("list_countries", {}, head=True, count="exact").execute().count, 4)

    def test_void(self):
        self.rows(self.db.rpc("nothing", {}), [])

    def test_rows(self):
        self.rows(self.db.rpc("list_countries", {}).select("name").eq("id", 1).single(), {"name": "Norway"})
        self.column("id", self.db.rpc("list_countries", {}).not_.is_("name", None).order("name", desc=True).limit(2), [3, 1])
        self.rows(
            self.db.rpc("list_countries", {}).select("name, cities(name)").eq("id", 2),
            [{"name": "Nepal", "cities": [{"name": "Kathmandu"}]}],
        )
        answer = self.db.rpc("list_countries", {}, count="exact").select("id").order("id").range(1, 2).execute()
        self.assertEqual((answer.count, answer.data), (4, [{"id": 2}, {"id": 3}]))

    def test_row(self):
        self.rows(self.db.rpc("country", {"wanted": 2}).select("id, iso"), {"id": 2, "iso": "NP"})

    def test_csv(self):
        self.rows(self.db.rpc("list_countries", {}).select("id,iso").lt("id", 3).order("id").csv(), "id,iso\n1,NO\n2,NP")
