-- What the clients' tests read and write. Whoever may connect gets what is granted here, so that the same statements
-- serve roles of any name. Tests read the first part and write the second, which reset() makes anew.

CREATE TABLE countries (
    id bigint PRIMARY KEY,
    name text,
    iso text UNIQUE,
    landlocked boolean,
    spoken text[] NOT NULL DEFAULT '{}',
    facts jsonb
);
COMMENT ON TABLE countries IS 'One of them has no name, and little is known of it.';
INSERT INTO countries VALUES
    (1, 'Norway', 'NO', false, '{norwegian,sami}', '{"currency": {"code": "NOK", "decimals": 2}, "founded": 872}'),
    (2, 'Nepal', 'NP', true, '{nepali}', '{"currency": {"code": "NPR", "decimals": 2}, "peaks": ["Everest", "Makalu"]}'),
    (3, 'Peru', 'PE', false, '{spanish,quechua,aymara}', '{"currency": {"code": "PEN", "decimals": 2}}'),
    (4, NULL, NULL, NULL, '{}', NULL);

CREATE TABLE cities (
    id bigint PRIMARY KEY,
    country_id bigint NOT NULL REFERENCES countries,
    name text NOT NULL,
    inhabitants int,
    "order" int
);
INSERT INTO cities VALUES
    (1, 1, 'Oslo', 709000, 3), (2, 1, 'Bergen', 291000, 2), (3, 2, 'Kathmandu', 862000, 1),
    (4, 3, 'Lima', 9751000, 1), (5, 3, 'Cusco', 428000, 2), (6, 3, 'Machu Picchu (ruins), lower town', NULL, 3);

CREATE FUNCTION label(cities) RETURNS text LANGUAGE sql STABLE AS $$ SELECT $1.name || ' #' || $1.id $$;

CREATE TABLE orchestral_sections (id bigint PRIMARY KEY, name text NOT NULL);
INSERT INTO orchestral_sections VALUES (1, 'strings'), (2, 'woodwinds'), (3, 'percussion');

CREATE TABLE instruments (
    id bigint PRIMARY KEY,
    section_id bigint NOT NULL REFERENCES orchestral_sections,
    name text NOT NULL,
    tuning text
);
INSERT INTO instruments VALUES
    (1, 1, 'violin', 'G3 D4 A4 E5'), (2, 1, 'viola', 'C3 G3 D4 A4'), (3, 1, 'cello', 'C2 G2 D3 A3'),
    (4, 2, 'oboe', NULL), (5, 2, 'bassoon', NULL);

CREATE TABLE "rehearsal rooms" (id bigint PRIMARY KEY, "door sign" text NOT NULL);
CREATE TABLE "stored things" (id bigint PRIMARY KEY, room_id bigint NOT NULL REFERENCES "rehearsal rooms", name text NOT NULL);
INSERT INTO "rehearsal rooms" VALUES (1, 'Hall A'), (2, 'Attic');
INSERT INTO "stored things" VALUES (1, 1, 'grand piano'), (2, 2, 'dust, mostly');

CREATE TYPE presence AS ENUM ('ONLINE', 'OFFLINE');
CREATE TABLE users (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    presence presence NOT NULL,
    ages int4range,
    address jsonb
);
INSERT INTO users VALUES
    (1, 'Ines', 'ONLINE', '[20,30)', '{"city": "Porto", "postcode": 4000, "lines": ["Rua Nova 5", "2 Esq."]}'),
    (2, 'Tomasz', 'OFFLINE', '[25,35)', '{"city": "Gdynia", "postcode": 81300}'),
    (3, 'Aiko', 'ONLINE', '[40,50)', '{}');

CREATE TABLE teams (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE users_teams (user_id bigint REFERENCES users, team_id bigint REFERENCES teams, PRIMARY KEY (user_id, team_id));
CREATE TABLE games (id bigint PRIMARY KEY, home_team bigint NOT NULL REFERENCES teams, away_team bigint NOT NULL REFERENCES teams);
INSERT INTO teams VALUES (1, 'Herons'), (2, 'Otters');
INSERT INTO users_teams VALUES (1, 1), (1, 2), (2, 2), (3, 1);
INSERT INTO games VALUES (1, 1, 2), (2, 2, 1);

CREATE TABLE messages (
    id bigint PRIMARY KEY,
    content text NOT NULL,
    sender_id bigint NOT NULL REFERENCES users,
    receiver_id bigint NOT NULL REFERENCES users
);
INSERT INTO messages VALUES (1, 'olá 👋', 1, 2), (2, 'cześć', 2, 1), (3, 'moshi moshi', 3, 1);

CREATE TABLE issues (id bigint PRIMARY KEY, title text NOT NULL, tags text[] NOT NULL);
INSERT INTO issues VALUES
    (1, 'Tuner drifts', '{is:open,severity:high,area:audio}'), (2, 'Typo in score', '{is:open,severity:low}'),
    (3, 'Lamp flickers', '{is:closed,severity:low,"needs, parts"}');

CREATE TABLE reservations (id bigint PRIMARY KEY, room text NOT NULL, during tsrange NOT NULL);
INSERT INTO reservations VALUES
    (1, 'Studio', '[2031-05-04 09:00, 2031-05-04 11:00)'), (2, 'Loft', '[2031-05-05 14:00, 2031-05-05 15:30)');

CREATE TABLE texts (
    id bigint PRIMARY KEY,
    content text NOT NULL,
    words tsvector GENERATED ALWAYS AS (to_tsvector('english', content)) STORED
);
INSERT INTO texts (id, content) VALUES
    (1, 'The otter sleeps in the river'), (2, 'Rivers freeze while otters are sleeping'), (3, 'A heron stands in the reeds'),
    (4, 'Les loutres dorment');

CREATE TABLE vault (id bigint PRIMARY KEY);
CREATE TABLE ledger (id bigint PRIMARY KEY, amount int NOT NULL);
INSERT INTO ledger VALUES (1, 100);

CREATE FUNCTION hello_world() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'Hello world' $$;
CREATE FUNCTION echo(say text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT say $$;
CREATE FUNCTION add_up(a int, b int DEFAULT 10) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT a + b $$;
CREATE FUNCTION add_one_each(arr int[]) RETURNS int[] LANGUAGE sql IMMUTABLE AS $$ SELECT array_agg(n + 1 ORDER BY i) FROM unnest(arr) WITH ORDINALITY u (n, i) $$;
CREATE FUNCTION longest(VARIADIC words text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT w FROM unnest(words) w ORDER BY length(w) DESC LIMIT 1 $$;
CREATE FUNCTION greeting(person jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$ SELECT jsonb_build_object('hello', person -> 'name') $$;
CREATE FUNCTION list_countries() RETURNS SETOF countries LANGUAGE sql STABLE AS $$ SELECT * FROM countries $$;
CREATE FUNCTION country(wanted bigint) RETURNS countries LANGUAGE sql STABLE AS $$ SELECT * FROM countries WHERE id = wanted $$;
CREATE FUNCTION nothing() RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION pause(seconds float8) RETURNS int LANGUAGE sql AS $$ SELECT 1 FROM pg_sleep(seconds) $$;
CREATE FUNCTION who_am_i() RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('role', current_user, 'claims', current_setting('request.jwt.claims')::json) $$;
CREATE FUNCTION refuse(reason text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', reason USING ERRCODE = 'PT418', DETAIL = 'It is a teapot', HINT = 'Try the kettle';
END $$;

-- Where the server has PostGIS and it can be made, there are places.
CREATE SCHEMA extensions;
GRANT USAGE ON SCHEMA extensions TO PUBLIC;
DO $$
BEGIN
    IF current_setting('is_superuser')::bool AND EXISTS (SELECT FROM pg_available_extensions WHERE name = 'postgis') THEN
        CREATE EXTENSION postgis SCHEMA extensions;
        CREATE TABLE places (id bigint PRIMARY KEY, name text NOT NULL, spot extensions.geometry(Point, 4326) NOT NULL);
        INSERT INTO places VALUES (1, 'pier', extensions.ST_SetSRID(extensions.ST_MakePoint(10.5, 59.9), 4326));
    END IF;
END $$;
CREATE FUNCTION has_postgis() RETURNS bool LANGUAGE sql STABLE AS $$ SELECT to_regclass('places') IS NOT NULL $$;

CREATE SCHEMA myschema;
CREATE TABLE myschema.mytable (id bigint PRIMARY KEY, data text);
INSERT INTO myschema.mytable VALUES (1, 'in the other schema');
CREATE FUNCTION myschema.where_am_i() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'myschema' $$;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC;
REVOKE ALL ON vault FROM PUBLIC;
GRANT USAGE ON SCHEMA myschema TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON myschema.mytable TO PUBLIC;

-- What tests write.

CREATE TABLE stock (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    quantity int DEFAULT 1 CHECK (quantity >= 0),
    note text DEFAULT 'as new',
    spec jsonb
);
CREATE TABLE members (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    handle text NOT NULL UNIQUE,
    display_name text
);
CREATE TABLE loans (
    member_id bigint REFERENCES members,
    stock_id bigint REFERENCES stock,
    days int NOT NULL DEFAULT 7,
    "due on" date,
    PRIMARY KEY (member_id, stock_id)
);
CREATE TABLE notes (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    owner name NOT NULL DEFAULT current_user,
    body text NOT NULL
);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notes USING (owner = current_user);
GRANT SELECT, INSERT, UPDATE, DELETE ON stock, members, loans, notes TO PUBLIC;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO PUBLIC; -- for defaults, which the API takes from sequences itself

CREATE FUNCTION lend_all(member bigint) RETURNS SETOF loans LANGUAGE sql AS $$
    INSERT INTO loans (member_id, stock_id) SELECT member, id FROM stock RETURNING * $$;

CREATE FUNCTION reset() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    TRUNCATE stock, members, loans, notes RESTART IDENTITY;
    INSERT INTO stock (name, quantity, spec) VALUES ('bow', 4, '{"wood": "pernambuco"}'), ('rosin', 20, NULL), ('mute', 0, NULL);
    INSERT INTO members (handle, display_name) VALUES ('ines', 'Ines'), ('tomasz', NULL);
    INSERT INTO loans VALUES (1, 1, 14);
    DELETE FROM myschema.mytable WHERE id > 1;
$$;
SELECT reset();

ANALYZE cities;
