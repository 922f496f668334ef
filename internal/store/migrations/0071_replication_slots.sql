-- +goose Up
ALTER TABLE synced_tables ADD COLUMN note text NOT NULL DEFAULT ''; -- how it is synced

-- Slots at the sources of synced tables. A row is there before its slot is, and until after: none is forgotten there, where it
-- would keep the log of the source's server for ever.
CREATE TABLE replication_slots (
    name     text PRIMARY KEY,
    table_id bigint REFERENCES synced_tables ON DELETE SET NULL, -- null for one that is to be dropped
    source   text NOT NULL,                                      -- catalog.schema.table
    database text,                                               -- of the server that Tarn serves; null for one elsewhere
    retained bigint NOT NULL DEFAULT 0,                          -- bytes of the log that the source's server keeps for it
    check_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON replication_slots (table_id);
