-- +goose Up
CREATE TABLE connections (
    id            uuid PRIMARY KEY,
    tenant        text NOT NULL CHECK (tenant <> ''),
    name          text NOT NULL CHECK (name <> ''),
    workspace_url text NOT NULL,
    warehouse_id  text NOT NULL,
    catalog       text NOT NULL,
    workspace_id  text NOT NULL,
    region        text NOT NULL,
    cloud         text NOT NULL,
    client_id     text NOT NULL,
    sealed        bytea,                     -- the client's secret
    version       bigint NOT NULL,           -- of the secret; it never goes back
    status        text NOT NULL CHECK (status IN ('PENDING', 'ACTIVE', 'REVOKED')),
    made_at       timestamptz NOT NULL DEFAULT now(),
    made_by       text NOT NULL,
    changed_at    timestamptz NOT NULL DEFAULT now(),
    tested_at     timestamptz,
    test_passed   boolean,
    test_message  text NOT NULL DEFAULT '',
    CHECK (status <> 'REVOKED' OR sealed IS NULL)
);
-- A tenant has one connection that isn't revoked. This index comes first: of two faults, it is told of this one.
CREATE UNIQUE INDEX connections_one_active ON connections (tenant) WHERE status <> 'REVOKED';
CREATE UNIQUE INDEX connections_name ON connections (tenant, name);

-- Who may manage a tenant's connections, besides administrators.
CREATE TABLE tenant_grants (
    tenant    text NOT NULL CHECK (tenant <> ''),
    kind      text NOT NULL CHECK (kind IN ('user', 'service_principal', 'group')),
    name      text NOT NULL,
    principal bigint NOT NULL, -- 0 for a group
    made_at   timestamptz NOT NULL DEFAULT now(),
    made_by   text NOT NULL,
    PRIMARY KEY (tenant, kind, name)
);
CREATE INDEX tenant_grants_principal ON tenant_grants (principal) WHERE principal <> 0;
CREATE INDEX tenant_grants_group ON tenant_grants (name) WHERE kind = 'group';
