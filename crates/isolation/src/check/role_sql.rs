//! The role that a check needs: a login without a privilege on any row.

/// Returns the SQL that makes a role as which `check` can run, in the database where it is executed.
pub fn print_role() -> &'static str {
    "-- A login for `check`: the catalogue is readable by every role, so it needs no privilege on anything.
CREATE ROLE isolation_check LOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB CONNECTION LIMIT 2;
ALTER ROLE isolation_check SET default_transaction_read_only = on;
DO $$
BEGIN
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO isolation_check', current_database());
END
$$;
-- Then give it a password that is not written down here:
-- \\password isolation_check
"
}
