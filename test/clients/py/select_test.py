from postgrest import CountMethod

from tarn import Case


class Select(Case):
    def test_all_columns(self):
        answer = self.db.from_("orchestral_sections").select("*").execute()
        self.assertEqual(
            answer.data,
            [{"id": 1, "name": "strings"}, {"id": 2, "name": "woodwinds"}, {"id": 3, "name": "percussion"}],
        )
        self.assertIsNone(answer.count)

    def test_some_columns(self):
        sections = self.db.table("orchestral_sections")
        self.rows(sections.select("name", "id").eq("id", 1), [{"name": "strings", "id": 1}])
        self.rows(sections.select("label:name, key:id::text").eq("id", 1), [{"label": "strings", "key": "1"}])

    def test_computed_column(self):
        self.rows(self.db.from_("cities").select("label").eq("id", 4), [{"label": "Lima #4"}])

    def test_json_paths(self):
        self.rows(
            self.db.from_("users").select("name, address->city, code:address->>postcode").order("id"),
            [
                {"name": "Ines", "city": "Porto", "code": "4000"},
                {"name": "Tomasz", "city": "Gdynia", "code": "81300"},
                {"name": "Aiko", "city": None, "code": None},
            ],
        )

    def test_to_many(self):
        self.rows(
            self.db.from_("orchestral_sections").select("name, instruments(name)").gt("id", 1).order("id"),
            [
                {"name": "woodwinds", "instruments": [{"name": "oboe"}, {"name": "bassoon"}]},
                {"name": "percussion", "instruments": []},
            ],
        )

    def test_to_one(self):
        self.rows(
            self.db.from_("instruments").select("name, orchestral_sections(*)").eq("id", 4),
            [{"name": "oboe", "orchestral_sections": {"id": 2, "name": "woodwinds"}}],
        )

    def test_names_with_spaces(self):
        self.rows(
            self.db.from_("rehearsal rooms").select('"door sign", "stored things"(name)').eq("id", 2),
            [{"door sign": "Attic", "stored things": [{"name": "dust, mostly"}]}],
        )

    def test_through_a_join_table(self):
        self.rows(
            self.db.from_("users").select("name, teams(name)").eq("id", 1),
            [{"name": "Ines", "teams": [{"name": "Herons"}, {"name": "Otters"}]}],
        )

    def test_same_relation_twice(self):
        for select in (
            "content, from:sender_id(name), to:receiver_id(name)",
            "content, from:users!messages_sender_id_fkey(name), to:users!messages_receiver_id_fkey(name)",
        ):
            self.rows(
                self.db.from_("messages").select(select).eq("id", 3),
                [{"content": "moshi moshi", "from": {"name": "Aiko"}, "to": {"name": "Ines"}}],
            )

    def test_nested_through_a_join_table(self):
        self.rows(
            self.db.from_("games")
            .select("game_id:id, away_team:teams!games_away_team_fkey(users(id, name))")
            .order("id")
            .order("id", foreign_table="away_team.users")
            .limit(1),
            [{"game_id": 1, "away_team": {"users": [{"id": 1, "name": "Ines"}, {"id": 2, "name": "Tomasz"}]}}],
        )

    def test_filter_on_related_rows(self):
        self.rows(
            self.db.from_("instruments")
            .select("name, orchestral_sections(name)")
            .eq("orchestral_sections.name", "strings")
            .gt("id", 2)
            .lt("id", 5),
            [{"name": "cello", "orchestral_sections": {"name": "strings"}}, {"name": "oboe", "orchestral_sections": None}],
        )

    def test_inner_join(self):
        self.rows(
            self.db.from_("instruments")
            .select("name, orchestral_sections!inner(name)")
            .eq("orchestral_sections.name", "woodwinds")
            .limit(1),
            [{"name": "oboe", "orchestral_sections": {"name": "woodwinds"}}],
        )
        self.rows(
            self.db.from_("instruments").select("name, orchestral_sections!inner()").eq("orchestral_sections.name", "woodwinds"),
            [{"name": "oboe"}, {"name": "bassoon"}],
        )

    def test_rows_without_related_ones(self):
        self.column(
            "name", self.db.from_("orchestral_sections").select("name, instruments()").is_("instruments", None), ["percussion"]
        )

    def test_aggregates(self):
        self.rows(
            self.db.from_("orchestral_sections").select("*, instruments(count)").eq("id", 1),
            [{"id": 1, "name": "strings", "instruments": [{"count": 3}]}],
        )
        self.rows(self.db.from_("cities").select("inhabitants.sum()").eq("country_id", 1), [{"sum": 1000000}])

    def test_spread(self):
        self.rows(
            self.db.from_("cities").select("name, ...countries(country:name)").eq("id", 1),
            [{"name": "Oslo", "country": "Norway"}],
        )

    def test_count(self):
        exact = self.db.from_("cities").select("name", count=CountMethod.exact).limit(2).execute()
        self.assertEqual((exact.count, len(exact.data)), (6, 2))
        for method in ("planned", "estimated"):
            whole = self.db.from_("cities").select("*", count=method).execute()
            self.assertEqual((whole.count, len(whole.data)), (6, 6), method)

    def test_head(self):
        answer = self.db.from_("cities").select("*", count="exact", head=True).eq("country_id", 3).execute()
        self.assertEqual((answer.count, answer.data), (3, []))
