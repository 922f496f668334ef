-- +goose Up
CREATE TABLE workspace (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    id         bigint NOT NULL, -- what clients know as the organization's or workspace's id
    account_id uuid NOT NULL DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO workspace (id) VALUES (1000000000000000 + floor(random() * 8000000000000000)::bigint);
