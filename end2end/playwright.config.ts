// Drives the real binary, serving a demonstration made for this run, in the machine's own Chromium.
import { defineConfig } from "@playwright/test";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const listen = process.env.COUNTERSIGN_E2E_LISTEN ?? "127.0.0.1:8499";
const data = process.env.COUNTERSIGN_E2E_DATA ?? join(mkdtempSync(join(tmpdir(), "countersign-e2e-")), "data");
process.env.COUNTERSIGN_E2E_DATA = data;

export default defineConfig({
  testDir: "tests",
  workers: 1,
  fullyParallel: false,
  retries: 0,
  timeout: 60_000,
  reporter: [["line"]],
  use: {
    baseURL: `http://${listen}`,
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  webServer: {
    command: `${process.env.COUNTERSIGN_BINARY ?? "../target/debug/countersign"} demo --data ${data} --listen ${listen}`,
    url: `http://${listen}/readyz`,
    timeout: 240_000,
    reuseExistingServer: false,
    gracefulShutdown: { signal: "SIGTERM", timeout: 10_000 },
    stdout: "ignore",
    stderr: "ignore",
  },
});
