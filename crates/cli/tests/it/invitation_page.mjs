// Joins by the page of an invitation in a real browser, spoken to by the DevTools protocol over pipes.
// node invitation_page.mjs BROWSER API USED_TOKEN GOOD_TOKEN EMAIL [DIRECTORY FOR SCREENSHOTS]
import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [browser, api, used, good, email, shots] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), "nf-page-"));
const child = spawn(browser, ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
  "--no-proxy-server", "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank"],
{ stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
const waiting = new Map();
let last = 0;
let rest = "";
child.stdio[4].setEncoding("utf8").on("data", (text) => {
  const messages = (rest + text).split("\0");
  rest = messages.pop();
  for (const message of messages.map((one) => JSON.parse(one))) {
    const { resolve, reject } = waiting.get(message.id) ?? {};
    waiting.delete(message.id);
    if (message.error) reject?.(new Error(message.error.message)); else resolve?.(message.result);
  }
});
const call = (method, params = {}, sessionId = undefined) => new Promise((resolve, reject) => {
  waiting.set(++last, { resolve, reject });
  child.stdio[3].write(JSON.stringify({ id: last, method, params, sessionId }) + "\0");
});

const open = async (token) => {
  const { targetId } = await call("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await call("Target.attachToTarget", { targetId, flatten: true });
  const tell = (method, params) => call(method, params, sessionId);
  const run = async (expression) => {
    const answer = await tell("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    assert.ok(!answer.exceptionDetails, JSON.stringify(answer.exceptionDetails));
    return answer.result.value;
  };
  const until = async (what, expression) => {
    const deadline = Date.now() + 30_000;
    while (!(await run(expression))) {
      assert.ok(Date.now() < deadline, `waited in vain for ${what}: ${await run("document.body.innerText")}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  await tell("Page.navigate", { url: `${api}/invitation${token ? `#token=${token}` : ""}` });
  await until("the page", "location.href !== 'about:blank' && document.readyState === 'complete'");
  const idle = "!document.querySelector('button:disabled')";
  const text = (id) => run(`document.getElementById("${id}").textContent`);
  const fill = (password, address = email) => run(
    `document.getElementById("email").value = ${JSON.stringify(address)};
     document.getElementById("password").value = ${JSON.stringify(password)};`);
  // The last of a person's clicks: what it does is over when the buttons can be used again.
  const press = async (selector) => {
    await run(`document.querySelector("${selector}").click()`);
    await until("an answer", idle);
  };
  const shoot = async (name, scheme = "light", width = 800) => {
    if (!shots) return;
    await tell("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    await tell("Emulation.setDeviceMetricsOverride", { width, height: 700, deviceScaleFactor: 1, mobile: false });
    const { data } = await tell("Page.captureScreenshot", { format: "png" });
    writeFileSync(join(shots, `${name}-${scheme}-${width}.png`), Buffer.from(data, "base64"));
  };
  return { run, text, fill, press, shoot };
};

// How much one colour stands out from another (WCAG 2).
const contrast = `((element) => {
  const light = (colour) => colour.match(/[0-9.]+/g).slice(0, 3).map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const style = getComputedStyle(element);
  const [a, b] = [light(style.color), light(style.backgroundColor)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
})(document.getElementById("alert"))`;

try {
  const UP = "button[value=up]";
  const IN = "button[value=in]";
  const torn = await open("");
  assert.equal(await torn.text("title"), "This link is not whole");

  let page = await open(used);
  await page.shoot("open");
  await page.shoot("open", "dark");
  await page.shoot("open", "light", 400);
  await page.fill("a wrong password");
  await page.press(IN);
  assert.match(await page.text("alert"), /password is wrong.*Make an account/);
  await page.fill("a long password");
  await page.press(UP);
  assert.match(await page.text("alert"), /^Your account is made, but this invitation is used or too old\. Ask for another/);
  await page.press(IN);
  assert.match(await page.text("alert"), /^Your password is right, but this invitation is used or too old/);
  for (const scheme of ["light", "dark"]) {
    await page.shoot("refused", scheme);
    assert.ok(await page.run(contrast) >= 4.5, `${scheme}: ${await page.run(contrast)}`);
  }
  await page.shoot("refused", "light", 400);
  const isAbove = `document.getElementById("alert").getBoundingClientRect().bottom
    <= document.querySelector("${IN}").getBoundingClientRect().top`;
  assert.ok(await page.run(isAbove) && await page.run(`document.getElementById("alert").role`) === "alert");
  assert.equal(await page.text("title"), "You are invited to a workspace");

  page = await open(good);
  await page.fill("a long password");
  await page.press(UP);
  assert.match(await page.text("alert"), /has an account: use “Sign in and join”/);
  await page.press("#forgot");
  assert.match(await page.text("status"), /If this address has an account, a mail .* is on its way/);
  assert.equal(await page.text("alert"), "");
  await page.shoot("forgot");
  await page.press(IN);
  assert.match(await page.text("title"), /^You have joined “.*”$/);
  assert.match(await page.text("status"), /You are a member now, as viewer/);
  assert.ok(await page.run(`document.getElementById("main").hidden && !location.hash && !/invited/.test(document.body.innerText)`));
  await page.shoot("joined");
  await page.shoot("joined", "dark", 400);
  console.log("done");
} finally {
  child.kill();
  await new Promise((resolve) => child.once("exit", resolve));
  // Its children end a little later than the browser, and write until then.
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}
