// Without this file the form works as well; with it, nothing is loaded anew.
"use strict";

const PATIENCE = 30000; // milliseconds

const find = (id) => document.getElementById(id);

function announce(news, error = "") {
  find("news").textContent = news;
  find("error").textContent = error;
}

const scopes = ["read", "write", "admin"];
const roles = { master: "write", worker: "read" };

// Fill in the result; the snippets are in the page, but for their values.
function show({ pin, expiration_time: expires, tokens }) {
  const groups = pin.match(/.{1,4}/g).map((text) => {
    const group = document.createElement("span");
    group.textContent = text;
    return group;
  });
  find("pin").replaceChildren(...groups);

  const time = new Date(expires);
  const exact = time.toISOString().replace(/\.\d+/, "");
  const form = { dateStyle: "long", timeStyle: "long" };
  find("expires").dateTime = exact;
  find("expires").textContent = time.toLocaleString("en-GB", form);
  find("exact").textContent = exact;

  for (const scope of scopes) find(scope).textContent = tokens ? tokens[scope] : "";
  find("tokens").hidden = !tokens;
  find("open").hidden = Boolean(tokens);
  // The browser knows it even behind a proxy, where the service does not.
  const keys = `${location.origin}/api/v1/clusters/${pin}/keys`;
  const config = tokens ? `url = "${keys}"\nheader = "Authorization: Bearer ${tokens.read}"\n` : "";
  find("curl").textContent = tokens ? `curl --config - <<'END'\n${config}END` : "";

  for (const [id, scope] of Object.entries(roles)) {
    const line = tokens ? `cvm_cluster_token=${tokens[scope]}\n` : "";
    find(id).value = find(id).value
      .replace(/^cvm_cluster_token=.*\n/m, "")
      .replace(/^(cvm_cluster_pin=).*\n/m, (_, key) => `${key}${pin}\n${line}`)
      .replace(/^(cvm_service_url=).*$/m, (_, key) => key + location.origin);
  }
  find("create").querySelector("button").textContent = "Create another PIN";
  find("result").hidden = false;
}

async function request() {
  const response = await fetch("/api/v1/clusters", {
    method: "POST",
    headers: { Accept: "application/json", "Content-Type": "application/json" },
    body: JSON.stringify({ protected: find("protected").checked }),
    signal: AbortSignal.timeout(PATIENCE),
  }).catch(() => {
    throw new Error("The service does not answer. Check the network and try again.");
  });
  const body = await response.json().catch(() => ({}));
  if (response.ok && body.pin) return body;
  throw new Error(body.detail || `The service answered with status ${response.status}.`);
}

let busy = false;

async function create() {
  if (busy) return;
  busy = true;
  announce("Creating a PIN …");
  try {
    show(await request());
    announce("Your PIN is ready.");
  } catch (error) {
    announce("", error.message);
  } finally {
    busy = false;
  }
}

async function copy(element) {
  try {
    await navigator.clipboard.writeText(element.value ?? element.textContent);
    return true;
  } catch {
    // There is no clipboard without https, except in this older way.
    if (element.select) element.select();
    else getSelection().selectAllChildren(element);
    return document.execCommand("copy");
  }
}

for (const button of document.querySelectorAll("[data-copies]")) {
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const copied = await copy(find(button.dataset.copies));
    const done = `${label.replace("Copy", "Copied")}.`;
    announce(copied ? done : "It is selected; copy it with your keyboard.");
    button.textContent = copied ? "Copied" : label;
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

find("create").addEventListener("submit", (event) => {
  event.preventDefault();
  create();
});

// The form was sent before this file had come.
if (!find("result").hidden) {
  const tokens = Object.fromEntries(scopes.map((scope) => [scope, find(scope).textContent]));
  show({
    pin: find("pin").textContent,
    expiration_time: find("expires").dateTime,
    tokens: find("tokens").hidden ? null : tokens,
  });
}
