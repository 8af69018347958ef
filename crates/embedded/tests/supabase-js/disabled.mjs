// Finds the account of recovery.mjs shut. Usage: node disabled.mjs http://127.0.0.1:PORT REFRESH_TOKEN
import assert from "node:assert/strict";
import { createClient } from "@supabase/supabase-js";

const [base, refresh_token] = process.argv.slice(2);
const { auth } = createClient(base, "any-key", {
  auth: { autoRefreshToken: false, persistSession: false },
  realtime: { transport: class {} },
});
const email = "berta@example.com";

const banned = ({ error }) => assert.deepEqual([error.status, error.code], [403, "user_banned"]);
banned(await auth.signInWithPassword({ email, password: "the fourth password" }));
banned(await auth.refreshSession({ refresh_token }));
assert.equal((await auth.resetPasswordForEmail(email)).error, null);

console.log("done");
