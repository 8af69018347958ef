--: why = "labs.group_protocols references labs.protocols by protocol_id alone, and the read policy of protocols admits every protocol linked to one of the caller's groups; A links B's protocol id to its own group and then reads it."
--: class = "link-table-across-tenants"
--: [isolation]
--: app_role = "lab_portal"
--: tenant_column = "lab"
--: tenants = ["helix", "ion"]
--: context = "SET LOCAL labs.lab = '{tenant}'"
--: [[expect]]
--: object = "labs.group_protocols"
--: verb = "insert"
--: kind = "leak"
CREATE ROLE lab_portal LOGIN;
CREATE SCHEMA labs;
CREATE TABLE labs.labs (lab text PRIMARY KEY, head text NOT NULL);
CREATE TABLE labs.protocols (
  protocol_id int PRIMARY KEY, lab text NOT NULL REFERENCES labs.labs, title text NOT NULL, steps jsonb NOT NULL CHECK (jsonb_typeof(steps) = 'array'),
  UNIQUE (lab, protocol_id)
);
CREATE TABLE labs.groups (lab text NOT NULL REFERENCES labs.labs, group_no int NOT NULL, name text NOT NULL, PRIMARY KEY (lab, group_no));
CREATE TABLE labs.group_protocols (
  lab text NOT NULL, group_no int NOT NULL, protocol_id int NOT NULL, added date NOT NULL DEFAULT current_date,
  PRIMARY KEY (lab, group_no, protocol_id),
  FOREIGN KEY (lab, group_no) REFERENCES labs.groups ON DELETE CASCADE,
  CONSTRAINT gp_protocol_fk FOREIGN KEY (protocol_id) REFERENCES labs.protocols
);
CREATE TABLE labs.group_members (
  lab text NOT NULL, group_no int NOT NULL, person text NOT NULL, PRIMARY KEY (lab, group_no, person),
  FOREIGN KEY (lab, group_no) REFERENCES labs.groups ON DELETE CASCADE
);
ALTER TABLE labs.protocols ENABLE ROW LEVEL SECURITY;
ALTER TABLE labs.groups ENABLE ROW LEVEL SECURITY;
ALTER TABLE labs.group_protocols ENABLE ROW LEVEL SECURITY;
ALTER TABLE labs.group_members ENABLE ROW LEVEL SECURITY;
CREATE POLICY l ON labs.groups USING (lab = current_setting('labs.lab'));
CREATE POLICY l ON labs.group_protocols USING (lab = current_setting('labs.lab'));
CREATE POLICY l ON labs.group_members USING (lab = current_setting('labs.lab'));
CREATE POLICY used_here ON labs.protocols FOR SELECT
  USING (EXISTS (SELECT FROM labs.group_protocols gp WHERE gp.protocol_id = protocols.protocol_id AND gp.lab = current_setting('labs.lab')));
GRANT USAGE ON SCHEMA labs TO lab_portal;
GRANT SELECT ON labs.protocols TO lab_portal;
GRANT SELECT, INSERT, DELETE ON labs.groups, labs.group_protocols, labs.group_members TO lab_portal;
INSERT INTO labs.labs VALUES ('helix', 'Dr. H'), ('ion', 'Dr. I');
INSERT INTO labs.protocols VALUES (1, 'helix', 'PCR', '["mix","heat"]'), (2, 'helix', 'Gel', '["pour"]'), (3, 'ion', 'Secret assay', '["add X"]');
INSERT INTO labs.groups VALUES ('helix', 1, 'wet'), ('ion', 1, 'dry');
INSERT INTO labs.group_protocols VALUES ('helix', 1, 1), ('ion', 1, 3);
INSERT INTO labs.group_members VALUES ('helix', 1, 'hana'), ('ion', 1, 'igor');
--- fix
ALTER TABLE labs.group_protocols DROP CONSTRAINT gp_protocol_fk;
ALTER TABLE labs.group_protocols ADD CONSTRAINT gp_protocol_fk
  FOREIGN KEY (lab, protocol_id) REFERENCES labs.protocols (lab, protocol_id);
