// A client of /api/account: what the forms hold goes out as JSON, and what comes back, errors
// included, is shown in the page.

const PASSWORD_NEEDED = 1004; // account/errors.py

const find = (id) => document.getElementById(id);
const addresses = document.body.dataset;
let waiting = null; // the form to send once more when the password is confirmed

class Refused extends Error {
  constructor(status, { code, message, errors = [] }, retryAfter = 0) {
    super(message);
    Object.assign(this, { status, code, errors, retryAfter });
  }
}

// --- the API ---------------------------------------------------------------------------

async function ask(method, address, body) {
  const headers = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  let answer, content;
  try {
    answer = await fetch(address, { method, headers, body: body && JSON.stringify(body) });
    content = await answer.json();
  } catch {
    throw new Refused(0, { code: 0, message: "The site does not answer. Try again." });
  }
  if (content.code === 0) return content;
  throw new Refused(answer.status, content, Number(answer.headers.get("Retry-After")));
}

function valuesOf(form) {
  const fields = [...form.elements].filter((field) => field.name);
  return Object.fromEntries(
    fields.map((field) => [field.name, field.type === "checkbox" ? field.checked : field.value]),
  );
}

// --- the page --------------------------------------------------------------------------

function say(text, isProblem = false) {
  find("notice").textContent = text;
  find("notice").classList.toggle("problem", isProblem);
}

function withCode(message, code) {
  return code ? `${message} (${code})` : message;
}

function showStrangers() {
  find("members").hidden = true;
  find("strangers").hidden = false;
}

function showMembers({ account, sessions }) {
  find("who").textContent = account.name || account.email;
  find("edit").elements.name.value = account.name;
  find("edit").elements.email.value = account.email;
  find("sessions").replaceChildren(...sessions.map(describe));
  find("strangers").hidden = true;
  find("members").hidden = false;
}

function describe(session) {
  const line = document.createElement("li");
  const since = new Date(session.signed_in_at).toLocaleString();
  const here = session.is_this_one ? " (here)" : "";
  line.textContent = `${session.browser}${here}, ${session.ip}, since ${since}`;
  return line;
}

function empty(form) {
  form.reset();
  clearProblems(form);
}

function clearProblems(form) {
  form.querySelectorAll("small.problem").forEach((problem) => problem.remove());
  form.querySelectorAll("[aria-invalid]").forEach((field) => {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  });
}

function showProblem(form, { field, message }, code) {
  const input = form.elements.namedItem(field);
  if (!input) return;
  const problem = document.createElement("small");
  problem.className = "problem";
  problem.id = `${form.id}-${field}-problem`;
  problem.textContent = withCode(message, code);
  input.closest("label").after(problem);
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", problem.id);
  form.querySelector("[aria-invalid]").focus();
}

// --- what happens ----------------------------------------------------------------------

async function refresh() {
  const { logged_in: isLoggedIn } = await ask("GET", addresses.isLoggedIn);
  if (isLoggedIn) showMembers(await ask("GET", addresses.info));
  else showStrangers();
}

async function send(form) {
  clearProblems(form);
  const button = form.querySelector("button");
  button.disabled = true; // one request at a time
  try {
    await ask(form.dataset.method ?? "POST", form.action, valuesOf(form));
    await goOn(form);
  } catch (error) {
    refuse(form, error);
  } finally {
    button.disabled = false;
  }
}

async function goOn(form) {
  if (form.id === "confirm") {
    find("proof").close();
    await send(waiting);
    return;
  }
  [...document.forms].forEach(empty); // no password stays behind
  say(form.dataset.done ?? "");
  await refresh();
}

function refuse(form, error) {
  if (!(error instanceof Refused)) throw error;
  if (!error.errors.length) find("proof").close(); // it would hide what the page says
  if (error.code === PASSWORD_NEEDED) {
    waiting = form;
    find("proof").showModal();
  } else if (error.status === 401) {
    say("You are signed out. Sign in again.", true);
    showStrangers();
  } else if (error.status === 429) {
    const time = new Date(Date.now() + error.retryAfter * 1000).toLocaleTimeString();
    say(`Too many tries. Try again at ${time}.`, true);
  } else {
    say(error.errors.length ? "" : withCode(error.message, error.code), true);
    error.errors.forEach((problem) => showProblem(form, problem, error.code));
  }
}

for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}
find("cancel").addEventListener("click", () => find("proof").close());
find("proof").addEventListener("close", () => empty(find("confirm")));
refresh().catch((error) => refuse(find("login"), error));
