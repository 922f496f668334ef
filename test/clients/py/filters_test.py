from tarn import Case


class Filters(Case):
    def test_comparisons(self):
        self.keeps("countries", lambda q: q.eq("name", "Peru"), [3])
        self.keeps("countries", lambda q: q.eq("landlocked", True), [2])
        self.keeps("countries", lambda q: q.neq("name", "Peru"), [1, 2])
        self.keeps("countries", lambda q: q.gt("id", 2), [3, 4])
        self.keeps("countries", lambda q: q.gte("id", 2), [2, 3, 4])
        self.keeps("countries", lambda q: q.lt("id", 2), [1])
        self.keeps("countries", lambda q: q.lte("id", 2), [1, 2])

    def test_json_paths(self):
        self.keeps("users", lambda q: q.eq("address->postcode", 4000), [1])
        self.keeps("users", lambda q: q.eq("address->>city", "Gdynia"), [2])
        self.keeps("countries", lambda q: q.eq("facts->currency->>code", "NPR"), [2])

    def test_reserved_characters(self):
        self.keeps("cities", lambda q: q.eq("name", "Machu Picchu (ruins), lower town"), [6])
        self.keeps("cities", lambda q: q.in_("name", ["Machu Picchu (ruins), lower town", "Oslo"]), [1, 6])
        self.rows(self.db.from_("rehearsal rooms").select("id").eq("door sign", "Attic"), [{"id": 2}])

    def test_patterns(self):
        self.keeps("cities", lambda q: q.like("name", "B%"), [2])
        self.keeps("cities", lambda q: q.like("name", "lima"), [])
        self.keeps("cities", lambda q: q.ilike("name", "%LIM%"), [4])
        self.keeps("cities", lambda q: q.like_all_of("name", "%a%,%u%"), [3, 6])
        self.keeps("cities", lambda q: q.like_any_of("name", "Os%,%co"), [1, 5])
        self.keeps("cities", lambda q: q.ilike_all_of("name", "%K%,%M%"), [3])
        self.keeps("cities", lambda q: q.ilike_any_of("name", "OSLO,BERG%"), [1, 2])

    def test_is(self):
        self.keeps("countries", lambda q: q.is_("name", None), [4])
        self.keeps("countries", lambda q: q.is_("name", "null"), [4])
        self.keeps("countries", lambda q: q.is_("landlocked", True), [2])
        self.keeps("countries", lambda q: q.is_("landlocked", False), [1, 3])

    def test_in(self):
        self.keeps("countries", lambda q: q.in_("name", ["Peru", "Nepal", "Atlantis"]), [2, 3])
        self.keeps("countries", lambda q: q.in_("id", [1, 2]), [1, 2])
        self.keeps("countries", lambda q: q.in_("id", []), [])

    def test_contains(self):
        self.keeps("issues", lambda q: q.contains("tags", ["is:open", "severity:low"]), [2])
        self.keeps("issues", lambda q: q.contains("tags", ["needs, parts"]), [3])
        self.keeps("issues", lambda q: q.cs("tags", ["is:closed"]), [3])
        self.keeps("reservations", lambda q: q.contains("during", "[2031-05-04 09:30, 2031-05-04 10:00)"), [1])
        self.keeps("users", lambda q: q.contains("address", {"postcode": 81300}), [2])

    def test_contained_by(self):
        self.keeps("countries", lambda q: q.contained_by("spoken", ["nepali", "sami", "norwegian"]), [1, 2, 4])
        self.keeps("reservations", lambda q: q.contained_by("during", "[2031-05-05 00:00, 2031-05-06 00:00)"), [2])
        self.keeps("users", lambda q: q.contained_by("address", {}), [3])

    def test_ranges(self):
        self.keeps("reservations", lambda q: q.range_gt("during", ["2031-05-04 10:00", "2031-05-04 12:00"]), [2])
        self.keeps("reservations", lambda q: q.range_gte("during", ["2031-05-04 09:00", "2031-05-04 09:10"]), [2])
        self.keeps("reservations", lambda q: q.range_lt("during", ["2031-05-04 11:00", "2031-05-04 12:00"]), [1])
        self.keeps("reservations", lambda q: q.range_lte("during", ["2031-05-04 08:00", "2031-05-05 15:30"]), [1, 2])
        self.keeps("reservations", lambda q: q.range_adjacent("during", ["2031-05-04 08:00", "2031-05-04 09:00"]), [1])
        self.keeps("users", lambda q: q.range_adjacent("ages", [34, 40]), [2, 3])

    def test_overlaps(self):
        self.keeps("issues", lambda q: q.overlaps("tags", ["is:closed", "severity:high"]), [1, 3])
        self.keeps("users", lambda q: q.overlaps("ages", "[28,41)"), [1, 2, 3])

    def test_text_search(self):
        def search(query, want, **options):
            self.keeps("texts", lambda q: q.text_search("words", query, options=options), want)

        search("'otter' & 'sleep'", [1, 2])
        search("'otter' & 'sleep'", [1, 2], config="english")
        search("sleeping river", [1, 2], type="plain", config="english")
        search("otter sleeps", [1], type="phrase", config="english")
        search("otter -freeze or heron", [1, 3], type="web_search", config="english")
        self.keeps("texts", lambda q: q.fts("content", "heron | loutres"), [3, 4])
        self.keeps("texts", lambda q: q.plfts("words", "rivers freezing"), [2])
        self.keeps("texts", lambda q: q.phfts("words", "the otter sleeps"), [1])
        self.keeps("texts", lambda q: q.wfts("words", "heron or freeze"), [2, 3])

    def test_match(self):
        self.keeps("cities", lambda q: q.match({"country_id": 3, "name": "Cusco"}), [5])

    def test_not(self):
        self.keeps("countries", lambda q: q.not_.is_("name", None), [1, 2, 3])
        self.keeps("countries", lambda q: q.not_.in_("id", [1, 2]), [3, 4])
        self.keeps("issues", lambda q: q.not_.contains("tags", ["is:open"]), [3])
        self.keeps("countries", lambda q: q.not_.or_("id.eq.2,name.eq.Peru"), [1])

    def test_or(self):
        self.keeps("countries", lambda q: q.or_("id.eq.2,name.eq.Peru"), [2, 3])
        self.keeps("cities", lambda q: q.or_("id.gt.5,and(country_id.eq.1,name.eq.Oslo)"), [1, 6])
        self.rows(
            self.db.from_("orchestral_sections")
            .select("name, instruments!inner(name)")
            .or_("section_id.eq.2,name.eq.cello", reference_table="instruments")
            .order("id"),
            [
                {"name": "strings", "instruments": [{"name": "cello"}]},
                {"name": "woodwinds", "instruments": [{"name": "oboe"}, {"name": "bassoon"}]},
            ],
        )

    def test_filter(self):
        self.keeps("countries", lambda q: q.filter("name", "in", '("Peru","Nepal")'), [2, 3])
        self.keeps("countries", lambda q: q.filter("name", "isdistinct", "Peru"), [1, 2, 4])
        self.keeps("cities", lambda q: q.filter("name", "match", "^O"), [1])
        self.rows(
            self.db.from_("orchestral_sections").select("name, instruments!inner(name)").filter("instruments.name", "eq", "oboe"),
            [{"name": "woodwinds", "instruments": [{"name": "oboe"}]}],
        )
