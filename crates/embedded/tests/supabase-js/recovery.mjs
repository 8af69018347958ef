// Forgets the password and comes back by the mailed link, in the three ways the client has; exits non-zero at the first
// surprise. Ends with the refresh token of a session that lives.
// Usage: node recovery.mjs http://127.0.0.1:PORT OUTBOX
import assert from "node:assert/strict";
import { readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@supabase/supabase-js";

const [base, outbox] = process.argv.slice(2);
const client = (flowType) =>
  createClient(base, "any-key", {
    auth: { autoRefreshToken: false, persistSession: false, flowType },
    realtime: { transport: class {} },
  });
const email = "berta@example.com";
const redirectTo = "https://app.example.com/new-password";

const ok = ({ data, error }) => {
  assert.equal(error, null);
  return data;
};
const refused = ({ error }, status, code) => {
  assert.notEqual(error, null);
  assert.deepEqual([error.status, error.code], [status, code]);
  return error;
};

// Waits for the mail and takes the link out of it.
const mailed = async () => {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
    const [name] = (await readdir(outbox).catch(() => [])).filter((name) => name.endsWith(".eml"));
    if (name) {
      const mail = await readFile(join(outbox, name), "utf8");
      await unlink(join(outbox, name));
      return new URL(mail.match(/^http\S+/m)[0]);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail("no mail came");
};

// Opens the link as a browser does, presses the button, and returns where that leads.
const follow = async (link) => {
  const page = await (await fetch(link)).text();
  const fields = [...page.matchAll(/name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]);
  const action = new URL(page.match(/action="([^"]*)"/)[1], link);
  const answer = await fetch(action, { method: "POST", body: new URLSearchParams(fields), redirect: "manual" });
  assert.equal(answer.status, 303);
  return new URL(answer.headers.get("location"));
};

const old = client();
const first = ok(await old.auth.signUp({ email, password: "the first password" })).session;
const elsewhere = client();
ok(await elsewhere.auth.signInWithPassword({ email, password: "the first password" }));

// By the token of the link.
const lost = client();
ok(await lost.auth.resetPasswordForEmail("nobody@example.com"));
ok(await lost.auth.resetPasswordForEmail(email));
const token_hash = (await mailed()).searchParams.get("token");
refused(await lost.auth.verifyOtp({ type: "recovery", token_hash: "nonsense" }), 403, "otp_expired");
const back = ok(await lost.auth.verifyOtp({ type: "recovery", token_hash }));
assert.equal(back.user.email, email);
refused(await client().auth.verifyOtp({ type: "recovery", token_hash }), 403, "otp_expired");
refused(await lost.auth.updateUser({ password: "the first password" }), 422, "same_password");
const weak = refused(await lost.auth.updateUser({ password: "short" }), 422, "weak_password");
assert.equal(weak.name, "AuthWeakPasswordError");
refused(await lost.auth.updateUser({ email: "other@example.com" }), 422, "validation_failed");
const changed = ok(await lost.auth.updateUser({ password: "the second password", data: { name: "Berta" } }));
assert.equal(changed.user.user_metadata.name, "Berta");
assert.equal(ok(await lost.auth.getUser()).user.id, first.user.id);
refused(await client().auth.signInWithPassword({ email, password: "the first password" }), 400, "invalid_credentials");
refused(await old.auth.refreshSession({ refresh_token: first.refresh_token }), 400, "refresh_token_not_found");
assert.equal((await elsewhere.auth.getUser()).error.name, "AuthSessionMissingError");
ok(await lost.auth.refreshSession());

// By the page's address, with the session in its fragment.
const implicit = client("implicit");
ok(await implicit.auth.resetPasswordForEmail(email, { redirectTo }));
const page = await follow(await mailed());
assert.equal(page.origin + page.pathname, redirectTo);
const session = Object.fromEntries(new URLSearchParams(page.hash.slice(1)));
assert.equal(session.type, "recovery");
ok(await implicit.auth.setSession(session));
ok(await implicit.auth.updateUser({ password: "the third password" }));

// By a code that only the client that asked can use.
const pkce = client("pkce");
ok(await pkce.auth.resetPasswordForEmail(email, { redirectTo }));
const code = (await follow(await mailed())).searchParams.get("code");
const stranger = await client("pkce").auth.exchangeCodeForSession(code);
assert.notEqual(stranger.error, null);
const exchanged = ok(await pkce.auth.exchangeCodeForSession(code));
assert.equal(exchanged.redirectType, "recovery");
ok(await pkce.auth.updateUser({ password: "the fourth password" }));
assert.equal((await implicit.auth.getUser()).error.name, "AuthSessionMissingError");

const last = client();
console.log(ok(await last.auth.signInWithPassword({ email, password: "the fourth password" })).session.refresh_token);
