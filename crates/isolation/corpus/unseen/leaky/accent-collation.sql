--: why = "press.articles.house uses a nondeterministic ICU collation that ignores accents and case, so the equality in its policy treats keys that differ only in accents as one: house 'resume' reads the articles of house 'Résumé'."
--: class = "nondeterministic-collation-tenant-match"
--: [isolation]
--: app_role = "press_app"
--: tenant_column = "house"
--: tenants = ["resume", "Résumé"]
--: context = "SET LOCAL press.house = '{tenant}'"
--: [[expect]]
--: object = "press.articles"
--: verb = "select"
--: kind = "leak"
CREATE ROLE press_app LOGIN;
CREATE SCHEMA press;
CREATE COLLATION press.fuzzy (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
CREATE TABLE press.houses (house text PRIMARY KEY, country char(2) NOT NULL CHECK (country ~ '^[A-Z]{2}$'));
CREATE TABLE press.authors (
  house text NOT NULL REFERENCES press.houses,
  author_no int NOT NULL, pen_name text COLLATE press.fuzzy NOT NULL,
  PRIMARY KEY (house, author_no)
);
CREATE TABLE press.articles (
  house text COLLATE press.fuzzy NOT NULL,
  article_id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY,
  headline text NOT NULL CHECK (headline <> ''),
  body text NOT NULL DEFAULT '',
  published boolean NOT NULL DEFAULT false
);
CREATE TABLE press.royalties (
  house text NOT NULL, author_no int NOT NULL, quarter date NOT NULL,
  amount numeric(9,2) NOT NULL CHECK (amount >= 0),
  PRIMARY KEY (house, author_no, quarter),
  FOREIGN KEY (house, author_no) REFERENCES press.authors
);
ALTER TABLE press.authors ENABLE ROW LEVEL SECURITY;
ALTER TABLE press.articles ENABLE ROW LEVEL SECURITY;
ALTER TABLE press.royalties ENABLE ROW LEVEL SECURITY;
CREATE POLICY h ON press.authors USING (house = current_setting('press.house'));
CREATE POLICY h ON press.articles FOR SELECT USING (house = current_setting('press.house'));
CREATE POLICY h ON press.royalties USING (house = current_setting('press.house'));
GRANT USAGE ON SCHEMA press TO press_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON press.authors, press.royalties TO press_app;
GRANT SELECT ON press.articles TO press_app;
INSERT INTO press.houses VALUES ('resume', 'US'), ('Résumé', 'FR');
INSERT INTO press.authors VALUES ('resume', 1, 'Sam'), ('Résumé', 1, 'Élise');
INSERT INTO press.articles (house, headline, body) VALUES ('resume', 'CV tips', '...'), ('Résumé', 'Exclusif', 'sous embargo');
INSERT INTO press.royalties VALUES ('resume', 1, '2024-01-01', 10), ('Résumé', 1, '2024-01-01', 99);
--- fix
ALTER POLICY h ON press.articles USING (house COLLATE "C" = current_setting('press.house'));
