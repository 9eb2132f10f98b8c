// Adds a passkey, or answers with one: takes the question from the form and puts the answer into it. Where the form's answer is a
// value that may only be copied, sends it from here and puts the value on the clipboard.
const form = document.querySelector("#enrol, #prove");
const said = document.getElementById("passkey-said");
const field = document.getElementById("passkey");
const copies = form.dataset.copies === "true";

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

function question() {
  const asked = JSON.parse(form.dataset.options);
  asked.challenge = bytes(asked.challenge);
  if (asked.user) asked.user.id = bytes(asked.user.id);
  for (const list of [asked.allowCredentials, asked.excludeCredentials]) {
    for (const known of list ?? []) known.id = bytes(known.id);
  }
  return { publicKey: asked };
}

function answer(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  const extensions = credential.getClientExtensionResults();
  return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response, extensions });
}

async function copy() {
  const answered = await fetch(form.action, {
    method: "POST",
    headers: { accept: "application/json" },
    body: new URLSearchParams(new FormData(form)),
  });
  const told = await answered.json();
  if (!answered.ok) {
    said.textContent = told.detail;
    return;
  }
  const value = told.fields.map((one) => one.value).join("\n");
  const done = await navigator.clipboard.writeText(value).then(() => true, () => false);
  form.querySelector("#code").value = "";
  said.textContent = `${done ? "Copied." : "The browser refused the clipboard. It is recorded as copied."} Recorded as event ${told.event}. Go back to go on.`;
}

const send = () => (copies ? copy() : form.submit());

async function use() {
  said.textContent = "Waiting for your device …";
  try {
    const call = form.id === "enrol" ? "create" : "get";
    field.value = answer(await navigator.credentials[call](question()));
  } catch (error) {
    said.textContent = error.name === "InvalidStateError" ? "This device has a passkey for you already." : "Nothing was done: the device gave no passkey. Try again, or take another way.";
    return;
  }
  await send();
}

if (copies) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    field.value = "";
    send();
  });
}
if (form.dataset.options && navigator.credentials) {
  if (form.id === "enrol") {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      use();
    });
  } else {
    document.getElementById("with-passkey").hidden = false;
    document.getElementById("use-passkey").addEventListener("click", use);
    document.getElementById("use-passkey").focus();
  }
} else if (form.dataset.options) {
  said.textContent = "This browser has no passkeys.";
}
