--: why = "Rows with a NULL tenant are global templates that every tenant reads; the policy of sign.templates allows such rows in the WITH CHECK too, so tenant A can plant a template (with its own payment text) into tenant B's list."
--: class = "null-tenant-row-planted"
--: [isolation]
--: app_role = "esign_app"
--: tenant_column = "tenant_id"
--: tenants = ["41", "42"]
--: context = "SET LOCAL app.tenant_id = '{tenant}'"
--: [[expect]]
--: object = "sign.templates"
--: verb = "insert"
--: kind = "leak"
CREATE ROLE esign_app LOGIN;
CREATE SCHEMA sign;
CREATE TABLE sign.tenants (id smallint PRIMARY KEY, name text NOT NULL);
CREATE TABLE sign.templates (
  template_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id smallint REFERENCES sign.tenants,      -- NULL: offered to everybody
  title text NOT NULL,
  body text NOT NULL
);
CREATE TABLE sign.envelopes (
  tenant_id smallint NOT NULL REFERENCES sign.tenants,
  envelope_no int NOT NULL,
  recipient text NOT NULL CHECK (recipient LIKE '%@%'),
  body text NOT NULL,
  status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'sent', 'signed')),
  PRIMARY KEY (tenant_id, envelope_no)
);
CREATE TABLE sign.signatures (
  tenant_id smallint NOT NULL, envelope_no int NOT NULL, signer text NOT NULL, signed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, envelope_no, signer),
  FOREIGN KEY (tenant_id, envelope_no) REFERENCES sign.envelopes
);
ALTER TABLE sign.templates ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign.envelopes ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign.signatures ENABLE ROW LEVEL SECURITY;
CREATE POLICY t_read ON sign.templates FOR SELECT
  USING (tenant_id IS NULL OR tenant_id = current_setting('app.tenant_id')::smallint);
CREATE POLICY t_add ON sign.templates FOR INSERT
  WITH CHECK (tenant_id IS NULL OR tenant_id = current_setting('app.tenant_id')::smallint);
CREATE POLICY t ON sign.envelopes USING (tenant_id = current_setting('app.tenant_id')::smallint);
CREATE POLICY t ON sign.signatures USING (tenant_id = current_setting('app.tenant_id')::smallint);
GRANT USAGE ON SCHEMA sign TO esign_app;
GRANT SELECT, INSERT (tenant_id, title, body) ON sign.templates TO esign_app;
GRANT SELECT, INSERT, UPDATE ON sign.envelopes TO esign_app;
GRANT SELECT, INSERT ON sign.signatures TO esign_app;
INSERT INTO sign.tenants VALUES (41, 'Acme'), (42, 'Bolt');
INSERT INTO sign.templates (tenant_id, title, body) VALUES (NULL, 'NDA', 'standard'), (41, 'Offer', 'ours'), (42, 'Offer', 'theirs');
INSERT INTO sign.envelopes VALUES (41, 1, 'x@a.example', 'hi'), (42, 1, 'y@b.example', 'ho');
INSERT INTO sign.signatures VALUES (41, 1, 'x'), (42, 1, 'y');
--- fix
ALTER POLICY t_add ON sign.templates WITH CHECK (tenant_id = current_setting('app.tenant_id')::smallint);
