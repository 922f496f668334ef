ALTER TABLE "clients" ENABLE ROW LEVEL SECURITY;
CREATE POLICY "restrict client access" ON "clients"
AS PERMISSIVE FOR SELECT TO "user@databricks.com"
USING (id IN (1, 2));
