-- +goose Up

-- What several processes share of rate limits: it may be lost with a crash.
CREATE UNLOGGED TABLE rate_bucket (
    name   text PRIMARY KEY,
    tokens float8 NOT NULL,
    at     float8 NOT NULL, -- seconds of this server's clock
    slot   bigint NOT NULL,
    wanted float8 NOT NULL,
    before float8 NOT NULL
) WITH (fillfactor = 50);
CREATE UNLOGGED TABLE rate_process (
    name    text PRIMARY KEY,
    seen_at timestamptz NOT NULL
);

CREATE TABLE rate_limit (
    id                  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    endpoint            text NOT NULL,
    scope               text NOT NULL CHECK (scope IN ('PRINCIPAL', 'WORKSPACE')),
    principal           text NOT NULL DEFAULT '', -- empty for each
    requests_per_second float8 NOT NULL CHECK (requests_per_second >= 0),
    burst               float8 NOT NULL CHECK (burst >= 0),
    comment             text NOT NULL DEFAULT '',
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    UNIQUE (endpoint, scope, principal)
);

CREATE TABLE ip_access_list (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    label      text NOT NULL,
    type       text NOT NULL CHECK (type IN ('ALLOW', 'BLOCK')),
    addresses  text[] NOT NULL,
    enabled    boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by bigint NOT NULL
);

CREATE TABLE workspace_conf (
    key   text PRIMARY KEY,
    value text NOT NULL
);
