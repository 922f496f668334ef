import asyncio
import unittest

from postgrest import AsyncPostgrestClient

from tarn import TOKEN, URL, Case, connect


class Modifiers(Case):
    def test_order(self):
        countries = self.db.from_("countries")
        self.column("id", countries.select("id").order("id", desc=True), [4, 3, 2, 1])
        self.column("name", countries.select("name").order("name"), ["Nepal", "Norway", "Peru", None])
        self.column("name", countries.select("name").order("name", nullsfirst=True), [None, "Nepal", "Norway", "Peru"])
        self.column(
            "id", self.db.from_("cities").select("id").order("country_id", desc=True).order("order"), [4, 5, 6, 3, 2, 1]
        )

    def test_order_of_related_rows(self):
        self.rows(
            self.db.from_("orchestral_sections")
            .select("name, instruments(name)")
            .order("name", desc=True, foreign_table="instruments")
            .eq("id", 1),
            [{"name": "strings", "instruments": [{"name": "violin"}, {"name": "viola"}, {"name": "cello"}]}],
        )

    def test_order_by_related_rows(self):
        self.column(
            "name",
            self.db.from_("cities").select("name, country:countries(name)").order("country(name)", desc=True).order("id").limit(2),
            ["Lima", "Cusco"],
        )

    def test_limit_and_offset(self):
        self.column("id", self.db.from_("cities").select("id").order("id").limit(2).offset(3), [4, 5])
        self.rows(
            self.db.from_("orchestral_sections").select("instruments(id)").limit(1, foreign_table="instruments").eq("id", 2),
            [{"instruments": [{"id": 4}]}],
        )

    def test_range(self):
        cities = self.db.from_("cities")
        self.column("id", cities.select("id").order("id").range(0, 1), [1, 2])
        self.column("id", cities.select("id").order("id").range(4, 9), [5, 6])
        self.column("id", cities.select("id").order("id").range(10, 19), [])
        self.fails("PGRST103", cities.select("id", count="exact").range(10, 19))
        self.rows(
            self.db.from_("orchestral_sections").select("instruments(id)").eq("id", 1).range(1, 2, foreign_table="instruments"),
            [{"instruments": [{"id": 2}, {"id": 3}]}],
        )

    def test_single(self):
        countries = self.db.from_("countries")
        self.rows(countries.select("name").order("id").limit(1).single(), {"name": "Norway"})
        self.assertEqual(self.fails("PGRST116", countries.select("*").eq("id", 99).single()).details, "The result contains 0 rows")
        self.assertEqual(self.fails("PGRST116", countries.select("*").single()).details, "The result contains 4 rows")

    def test_maybe_single(self):
        countries = self.db.from_("countries")
        self.rows(countries.select("name").eq("id", 3).maybe_single(), {"name": "Peru"})
        self.assertIsNone(countries.select("*").eq("id", 99).maybe_single().execute())

    def test_strip_nulls(self):
        self.rows(
            self.db.from_("countries").select("id, name").gt("id", 2).order("id").strip_nulls(), [{"id": 3, "name": "Peru"}, {"id": 4}]
        )

    def test_csv(self):
        self.rows(
            self.db.from_("cities").select("id, name, inhabitants").gt("id", 4).order("id").csv(),
            'id,name,inhabitants\n5,Cusco,428000\n6,"Machu Picchu (ruins), lower town",',
        )

    def test_explain(self):
        countries = self.db.from_("countries")
        self.assertRegex(countries.select("*").explain().execute(), "Seq Scan on countries")
        plan = countries.select("*").explain(format="json").execute().data
        self.assertEqual(plan[0]["Plan"]["Node Type"], "Aggregate")
        analyzed = countries.select("*").explain(analyze=True, verbose=True, settings=True, buffers=True, wal=True).execute()
        self.assertRegex(analyzed, "actual time=")
        self.assertRegex(analyzed, "Output: ")

    def test_schema(self):
        other = self.db.schema("myschema").from_("mytable")
        self.rows(other.select("data").eq("id", 1), [{"data": "in the other schema"}])
        self.rows(other.insert({"id": 2, "data": "new"}), [{"id": 2, "data": "new"}])
        self.rows(other.delete().eq("id", 2), [{"id": 2, "data": "new"}])
        self.assertEqual(connect(schema="myschema").rpc("where_am_i", {}).execute().data, "myschema")
        self.fails("PGRST106", self.db.schema("pg_catalog").from_("pg_class").select("*"))


class Asynchronous(unittest.TestCase):
    """The other client of the library speaks through another HTTP client."""

    def test_reads_and_writes(self):
        async def converse():
            async with AsyncPostgrestClient(URL, headers={"Authorization": f"Bearer {TOKEN}"}) as db:
                one, many, sum = await asyncio.gather(
                    db.from_("countries").select("name").eq("id", 1).single().execute(),
                    db.from_("countries").select("id", count="exact").order("id").limit(1).execute(),
                    db.rpc("add_up", {"a": 1, "b": 2}).execute(),
                )
                self.assertEqual(one.data, {"name": "Norway"})
                self.assertEqual((many.data, many.count), ([{"id": 1}], 4))
                self.assertEqual(sum.data, 3)

        asyncio.run(converse())
