// Signs up, in, refreshes, reads its user and signs out with the unmodified client; exits non-zero at the first
// surprise. Usage: node session.mjs http://127.0.0.1:PORT
import assert from "node:assert/strict";
import { createClient } from "@supabase/supabase-js";

const base = process.argv[2];
const client = () =>
  createClient(base, "any-key", {
    auth: { autoRefreshToken: false, persistSession: false },
    // Nothing here listens for changes, and older versions of Node have no WebSocket to do it with.
    realtime: { transport: class {} },
  });
const email = "anna@example.com";
const password = "correct horse battery";

const ok = ({ data, error }) => {
  assert.equal(error, null);
  return data;
};
const refused = ({ error }, status, code) => {
  assert.notEqual(error, null);
  assert.deepEqual([error.status, error.code], [status, code]);
  return error;
};

const first = client();
const weak = refused(await first.auth.signUp({ email, password: "short" }), 422, "weak_password");
assert.equal(weak.name, "AuthWeakPasswordError");
assert.deepEqual(weak.reasons, ["length"]);
refused(await first.auth.signInWithPassword({ email, password }), 400, "invalid_credentials");
refused(await first.auth.signInAnonymously(), 422, "anonymous_provider_disabled");

const signedUp = ok(await first.auth.signUp({ email, password, options: { data: { name: "Anna" } } }));
assert.equal(signedUp.user.email, email);
assert.equal(signedUp.user.identities.length, 1);
assert.equal(signedUp.user.user_metadata.name, "Anna");
assert.ok(signedUp.session.access_token);
refused(await first.auth.signUp({ email, password }), 422, "user_already_exists");

// Verified by the client itself, with WebCrypto and the key set.
const { claims, header } = ok(await first.auth.getClaims());
assert.equal(header.alg, "ES256");
assert.equal(claims.sub, signedUp.user.id);
assert.match(claims.app_metadata.tenant_id, /^[0-9a-f-]{36}$/);
assert.equal(ok(await first.auth.getUser()).user.id, signedUp.user.id);

const before = signedUp.session.refresh_token;
const refreshed = ok(await first.auth.refreshSession());
assert.notEqual(refreshed.session.refresh_token, before);
assert.equal(refreshed.user.id, signedUp.user.id);
assert.equal(ok(await first.auth.getUser()).user.id, signedUp.user.id);

// Another tab that still holds the old token is not signed out.
const tab = client();
const joined = ok(await tab.auth.refreshSession({ refresh_token: before }));
assert.equal(joined.session.refresh_token, refreshed.session.refresh_token);
refused(await tab.auth.refreshSession({ refresh_token: "nonsense" }), 400, "refresh_token_not_found");

const second = client();
const signedIn = ok(await second.auth.signInWithPassword({ email, password }));
assert.equal(signedIn.user.id, signedUp.user.id);

// Signing the others out ends the first session, not this one.
assert.equal((await second.auth.signOut({ scope: "others" })).error, null);
assert.equal(ok(await second.auth.getUser()).user.id, signedUp.user.id);
const gone = await first.auth.getUser();
assert.equal(gone.error.name, "AuthSessionMissingError");
const old = refreshed.session.refresh_token;
refused(await first.auth.refreshSession({ refresh_token: old }), 400, "refresh_token_not_found");

assert.equal((await second.auth.signOut()).error, null);
assert.equal(ok(await second.auth.getSession()).session, null);
const last = signedIn.session;
refused(await second.auth.refreshSession({ refresh_token: last.refresh_token }), 400, "refresh_token_not_found");
assert.equal((await second.auth.getUser(last.access_token)).error.name, "AuthSessionMissingError");

console.log("done");
