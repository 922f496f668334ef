-- +goose Up
CREATE TABLE database_instances (
    name         text PRIMARY KEY,
    uid          uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    creator      text NOT NULL,
    capacity     text NOT NULL,
    stopped      boolean NOT NULL DEFAULT false,
    native_login boolean NOT NULL DEFAULT false,
    custom_tags  jsonb NOT NULL DEFAULT '[]',
    created_at   timestamptz NOT NULL DEFAULT now()
);
-- The server itself, to which all databases belong that no other instance has.
INSERT INTO database_instances (name, creator, capacity) VALUES ('tarn', '', 'CU_8');

CREATE TABLE instance_databases (
    database text PRIMARY KEY,
    instance text NOT NULL REFERENCES database_instances,
    made     boolean NOT NULL -- by Tarn, which may drop it again
);

CREATE TABLE database_catalogs (
    name     text PRIMARY KEY,
    uid      uuid NOT NULL DEFAULT gen_random_uuid(),
    instance text NOT NULL REFERENCES database_instances,
    database text NOT NULL UNIQUE,
    creator  text NOT NULL
);
CREATE UNIQUE INDEX ON database_catalogs (lower(name));

CREATE TABLE synced_tables (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL UNIQUE,       -- catalog.schema.table
    instance     text NOT NULL REFERENCES database_instances,
    database     text NOT NULL,
    schema_name  text NOT NULL,
    table_name   text NOT NULL,
    creator      text NOT NULL,
    spec         jsonb NOT NULL,
    pipeline_id  uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    due_at       timestamptz DEFAULT now(),  -- of the next run; null for none
    requested_at timestamptz,                -- by a client
    full_refresh boolean NOT NULL DEFAULT false,
    lease_holder text,
    lease_until  timestamptz,                -- who doesn't prolong it has died
    started_at   timestamptz,                -- of the run that is on
    rows_read    bigint NOT NULL DEFAULT 0,  -- by it
    failures     integer NOT NULL DEFAULT 0, -- since the last success
    failure      text NOT NULL DEFAULT '',
    version      bigint NOT NULL DEFAULT 0,  -- how many runs succeeded
    rows         bigint NOT NULL DEFAULT 0,
    sync_start   timestamptz,
    sync_end     timestamptz,
    UNIQUE (database, schema_name, table_name)
);
CREATE INDEX ON synced_tables (due_at) WHERE due_at IS NOT NULL;
