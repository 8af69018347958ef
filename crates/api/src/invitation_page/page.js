"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const say = (text) => { find("message").textContent = text; };
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  const form = find("form");

  if (!token) {
    find("main").hidden = true;
    say("This link is not whole. Open it again from where you were given it.");
    return;
  }
  if (!form) {
    find("token").value = token;
    return;
  }

  // Answers the body, or throws what the server says against it.
  const post = async (path, bearer, body) => {
    const headers = { "content-type": "application/json" };
    if (bearer) headers.authorization = "Bearer " + bearer;
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    const read = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(read.msg || read.detail || read.title || "That did not work. Try again later.");
    return read;
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const isNew = event.submitter && event.submitter.value === "up";
    const email = find("email").value;
    const password = find("password").value;
    const buttons = form.querySelectorAll("button");
    buttons.forEach((button) => { button.disabled = true; });
    say("One moment …");
    let session;
    try {
      session = isNew
        ? await post("auth/v1/signup", null, { email, password, data: { invitation_token: token } })
        : await post("auth/v1/token?grant_type=password", null, { email, password });
      const joined = await post("v1/invitations/accept", session.access_token, { token });
      find("main").hidden = true;
      history.replaceState(null, "", location.pathname);
      say("You are a member of “" + joined.name + "” now, as " + joined.role
        + ". Sign in to your application and choose this workspace there.");
    } catch (error) {
      say(error instanceof TypeError ? "The server cannot be reached. Try again." : error.message);
      buttons.forEach((button) => { button.disabled = false; });
    } finally {
      // The session was this page's only.
      if (session) post("auth/v1/logout?scope=local", session.access_token, {}).catch(() => {});
    }
  });
})();
