// Switches the workspace of one session: the token it gets next names the new one, the token it had still reads the old
// one alone, and another session of the same person stays where it was. Exits non-zero at the first surprise.
// Usage: node switch.mjs http://127.0.0.1:PORT
import assert from "node:assert/strict";
import { createClient } from "@supabase/supabase-js";

const api = process.argv[2];
const client = () =>
  createClient(api, "any-key", {
    auth: { autoRefreshToken: false, persistSession: false },
    // Nothing here listens for changes, and older versions of Node have no WebSocket to do it with.
    realtime: { transport: class {} },
  });
const ok = ({ data, error }) => {
  assert.equal(error, null);
  return data;
};
// Verified by the client itself.
const workspace = async ({ auth }) => ok(await auth.getClaims()).claims.app_metadata.tenant_id;
const token = async ({ auth }) => ok(await auth.getSession()).session.access_token;
const refresh = async ({ auth }) => ok(await auth.refreshSession());

const call = async (method, path, bearer, body) => {
  const headers = { authorization: `Bearer ${bearer}`, "content-type": "application/json" };
  const answer = await fetch(`${api}/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  return [answer.status, await answer.json()];
};
const made = async (path, bearer, body) => {
  const [status, it] = await call("POST", path, bearer, body);
  assert.equal(status, 201, JSON.stringify(it));
  return it;
};
const titles = async (bearer) => {
  const [status, { items }] = await call("GET", "/projects", bearer);
  assert.equal(status, 200);
  return items.map(({ title }) => title);
};

const anna = { email: "anna@example.com", password: "a long password" };
const [phone, laptop, stranger] = [client(), client(), client()];
ok(await phone.auth.signUp(anna));
ok(await laptop.auth.signInWithPassword(anna));
ok(await stranger.auth.signUp({ email: "bruno@example.com", password: "another password" }));

const home = await workspace(phone);
assert.equal(await workspace(laptop), home);
const before = await token(phone);
const mine = await made("/projects", before, { title: "At home" });
const { tenant_id: other } = await made("/tenants", before, { name: "Another" });
assert.notEqual(other, home);
// To be a member of it is not to be in it.
await refresh(phone);
assert.equal(await workspace(phone), home);

const [status, activated] = await call("POST", `/tenants/${other}/activate`, await token(phone));
assert.deepEqual([status, activated.tenant_id], [200, other]);
assert.equal(await workspace(phone), home, "a token stays what it is");
await refresh(phone);
assert.equal(await workspace(phone), other);
await refresh(phone);
assert.equal(await workspace(phone), other, "and so it stays");
await refresh(laptop);
assert.equal(await workspace(laptop), home, "another session does not move along");

// Each token reads its own workspace, whichever was made last.
const after = await token(phone);
await made("/projects", after, { title: "Elsewhere" });
assert.deepEqual(await titles(before), ["At home"]);
assert.deepEqual(await titles(after), ["Elsewhere"]);
assert.deepEqual(await titles(await token(laptop)), ["At home"]);
assert.equal((await call("GET", `/projects/${mine.project_id}`, after))[0], 404);

// Nobody enters where they are no member.
const apart = await workspace(stranger);
const [refused, { code }] = await call("POST", `/tenants/${other}/activate`, await token(stranger));
assert.deepEqual([refused, code], [404, "tenant-not-found"]);
await refresh(stranger);
assert.equal(await workspace(stranger), apart);

assert.equal((await call("POST", `/tenants/${home}/activate`, after))[0], 200);
await refresh(phone);
assert.equal(await workspace(phone), home, "the way back");

console.log("done");
