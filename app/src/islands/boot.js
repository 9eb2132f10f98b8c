// Loads the islands' wasm and wakes each island of this page. Nothing on the page waits for it.
import init, * as app from "SCRIPT_URL";

await init({ module_or_path: new URL("WASM_URL", import.meta.url) });
app.hydrate();
for (const island of document.querySelectorAll("leptos-island")) {
  app[island.dataset.component]?.(island);
}
document.documentElement.dataset.islands = "awake";
