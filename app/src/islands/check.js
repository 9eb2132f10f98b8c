// Checks an evidence bundle in this browser: nothing is uploaded. The rules are compiled from the same source as the server's.
import init, { check_evidence } from "SCRIPT_URL";

const ready = init({ module_or_path: new URL("WASM_URL", import.meta.url) });
const [form, file, key, said] = ["check", "check-file", "check-key", "check-said"].map((id) => document.getElementById(id));

async function check(chosen) {
  if (!chosen) return;
  said.className = "checked";
  said.textContent = `Reading ${chosen.name} …`;
  await ready;
  const verdict = JSON.parse(check_evidence(new Uint8Array(await chosen.arrayBuffer()), key.value));
  said.className = verdict.holds ? "checked good" : "checked danger";
  said.textContent = [chosen.name, ...verdict.lines, `Checked by this browser at ${new Date().toISOString()}.`].join("\n");
}

form.hidden = false;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  check(file.files[0]);
});
file.addEventListener("change", () => check(file.files[0]));
for (const kind of ["dragover", "drop"]) {
  form.addEventListener(kind, (event) => {
    event.preventDefault();
    if (kind === "drop") check(event.dataTransfer.files[0]);
  });
}
