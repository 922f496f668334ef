-- +goose Up
-- Which root keys there are; the keys themselves are elsewhere.
CREATE TABLE vault_root_keys (
    id         bytea PRIMARY KEY CHECK (octet_length(id) = 8),
    source     text NOT NULL,
    proof      bytea NOT NULL, -- something known, wrapped by the key
    is_primary boolean NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz
);
CREATE UNIQUE INDEX vault_root_keys_one_primary ON vault_root_keys (is_primary) WHERE is_primary;

-- Credentials of apps: each app's own (account is empty), and of an app in an account.
CREATE TABLE vault_secrets (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account        text NOT NULL,
    app            text NOT NULL CHECK (app <> ''),
    name           text NOT NULL CHECK (name <> ''),
    latest_version bigint NOT NULL DEFAULT 0,
    made_at        timestamptz NOT NULL DEFAULT now(),
    UNIQUE (account, app, name)
);
CREATE TABLE vault_secret_versions (
    secret  uuid NOT NULL REFERENCES vault_secrets ON DELETE CASCADE,
    version bigint NOT NULL,
    sealed  bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    made_by text NOT NULL,
    PRIMARY KEY (secret, version)
);
