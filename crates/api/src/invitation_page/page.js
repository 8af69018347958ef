"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  const form = find("form");

  // Leaves nothing to fill in.
  const end = (title, text) => {
    find("main").hidden = true;
    document.title = find("title").textContent = title;
    find("status").textContent = text;
  };
  if (!token) {
    end("This link is not whole", "Open it again from where you were given it.");
    return;
  }
  if (!form) {
    find("token").value = token;
    return;
  }

  const email = find("email");
  const password = find("password");
  const say = (progress, fault) => {
    find("status").textContent = progress;
    find("alert").textContent = fault;
  };
  const offersAccounts = Boolean(form.querySelector("button[value=up]"));
  const gone = "this invitation is used or too old. Ask for another one.";
  const meanings = {
    invalid_credentials: "The e-mail address or the password is wrong."
      + (offersAccounts ? " If you have no account yet, use “Make an account and join”." : ""),
    user_already_exists: "This address has an account: use “Sign in and join”, with its password.",
    signup_disabled: "No account was made: " + gone,
    "invitation-not-found": "Your password is right, but " + gone,
    weak_password: "The password needs at least 8 characters.",
    user_banned: "This account is shut. Ask whoever runs this service.",
  };
  const meaningAfterSignUp = (error) => error.code === "invitation-not-found"
    ? "Your account is made, but " + gone
    : "Your account is made, but joining did not work. Try again with “Sign in and join”.";

  // Answers the body, or throws what the server says against it.
  const post = async (path, bearer, body) => {
    const headers = { "content-type": "application/json" };
    if (bearer) headers.authorization = "Bearer " + bearer;
    let answer;
    try {
      answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    } catch {
      throw new Error("The server cannot be reached. Try again.");
    }
    const read = await answer.json().catch(() => ({}));
    if (answer.ok) return read;
    const code = read.error_code || read.code;
    const wait = answer.status === 429 && Number(answer.headers.get("retry-after"));
    const minutes = Math.ceil(wait / 60);
    const text = wait
      ? "Too many attempts. Try again in " + (minutes > 1 ? minutes + " minutes." : "a minute.")
      : meanings[code] || read.msg || read.detail || read.title || "That did not work. Try again later.";
    throw Object.assign(new Error(text), { code });
  };

  // Does something that one of the buttons asks for; meanwhile none asks for anything else.
  const doing = async (work) => {
    const buttons = form.querySelectorAll("button");
    buttons.forEach((button) => { button.disabled = true; });
    say("One moment …", "");
    try {
      say(await work(), "");
    } catch (error) {
      say("", error.message);
    } finally {
      buttons.forEach((button) => { button.disabled = false; });
    }
  };

  const join = async (isNew) => {
    const who = { email: email.value, password: password.value };
    const session = isNew
      ? await post("auth/v1/signup", null, { ...who, data: { invitation_token: token } })
      : await post("auth/v1/token?grant_type=password", null, who);
    try {
      const joined = await post("v1/invitations/accept", session.access_token, { token });
      history.replaceState(null, "", location.pathname);
      const text = "You are a member now, as " + joined.role
        + ". Sign in to your application and choose this workspace there.";
      end("You have joined “" + joined.name + "”", text);
      return text;
    } catch (error) {
      throw isNew ? new Error(meaningAfterSignUp(error)) : error;
    } finally {
      // The session was this page's only.
      post("auth/v1/logout?scope=local", session.access_token, {}).catch(() => {});
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const isNew = Boolean(event.submitter) && event.submitter.value === "up";
    doing(() => join(isNew));
  });
  find("forgot").addEventListener("click", () => {
    if (!email.reportValidity()) return;
    doing(async () => {
      await post("auth/v1/recover", null, { email: email.value });
      return "If this address has an account, a mail with a link to a new password is on its way. "
        + "Come back here afterwards and sign in.";
    });
  });
})();
