--: why = "The definer function checks the shop at the root of the category tree, but the recursive step joins on the parent number alone; an own category with a number that is a parent elsewhere brings foreign children."
--: class = "recursive-cte-missing-tenant"
--: [[expect]]
--: object = "menu.subtree"
--: verb = "execute"
--: kind = "leak"
CREATE ROLE menu_owner NOLOGIN;
CREATE ROLE menu_app LOGIN;
CREATE SCHEMA menu AUTHORIZATION menu_owner;
SET ROLE menu_owner;
CREATE TABLE menu.category (
  shop_id uuid NOT NULL, cat_no integer NOT NULL CHECK (cat_no > 0), parent_no integer, title text NOT NULL,
  PRIMARY KEY (shop_id, cat_no), FOREIGN KEY (shop_id, parent_no) REFERENCES menu.category, CHECK (cat_no <> parent_no)
);
CREATE TABLE menu.dish (shop_id uuid NOT NULL, dish_no integer NOT NULL, cat_no integer NOT NULL, name text NOT NULL, price numeric(6, 2) NOT NULL, PRIMARY KEY (shop_id, dish_no), FOREIGN KEY (shop_id, cat_no) REFERENCES menu.category);
CREATE TABLE menu.supplier_note (shop_id uuid NOT NULL, dish_no integer NOT NULL, note text NOT NULL, PRIMARY KEY (shop_id, dish_no), FOREIGN KEY (shop_id, dish_no) REFERENCES menu.dish ON DELETE CASCADE);
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY '{category,dish,supplier_note}'::text[] LOOP
    EXECUTE format('ALTER TABLE menu.%I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format($p$CREATE POLICY shop ON menu.%I TO menu_app USING (shop_id = nullif(current_setting('menu.shop', true), '')::uuid)$p$, t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON menu.%I TO menu_app', t);
  END LOOP;
END $$;
CREATE FUNCTION menu.subtree(p_root integer) RETURNS TABLE (depth integer, cat_no integer, title text) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH RECURSIVE t AS (
    SELECT 0 AS depth, c.shop_id, c.cat_no, c.title FROM menu.category c
     WHERE c.shop_id = nullif(current_setting('menu.shop', true), '')::uuid AND c.cat_no = p_root
    UNION ALL
    SELECT t.depth + 1, c.shop_id, c.cat_no, c.title FROM t JOIN menu.category c ON c.parent_no = t.cat_no WHERE t.depth < 10
  ) SELECT t.depth, t.cat_no, t.title FROM t $$;
REVOKE ALL ON FUNCTION menu.subtree(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION menu.subtree(integer) TO menu_app;
GRANT USAGE ON SCHEMA menu TO menu_app;
RESET ROLE;
INSERT INTO menu.category VALUES
  ('c0ffee00-0000-4000-8000-00000000000a', 1, NULL, 'Drinks'), ('c0ffee00-0000-4000-8000-00000000000a', 2, 1, 'Coffee'),
  ('c0ffee00-0000-4000-8000-00000000000b', 7100, NULL, 'Root'), ('c0ffee00-0000-4000-8000-00000000000b', 7101, 7100, 'Secret new zucchini line');
--- fix
CREATE OR REPLACE FUNCTION menu.subtree(p_root integer) RETURNS TABLE (depth integer, cat_no integer, title text) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH RECURSIVE t AS (
    SELECT 0 AS depth, c.shop_id, c.cat_no, c.title FROM menu.category c
     WHERE c.shop_id = nullif(current_setting('menu.shop', true), '')::uuid AND c.cat_no = p_root
    UNION ALL
    SELECT t.depth + 1, c.shop_id, c.cat_no, c.title FROM t JOIN menu.category c ON c.shop_id = t.shop_id AND c.parent_no = t.cat_no WHERE t.depth < 10
  ) SELECT t.depth, t.cat_no, t.title FROM t $$;
