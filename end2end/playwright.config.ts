// Drives the real binary, serving demonstrations made for this run, in the machine's own Chromium: one that is changed, by one file of
// tests after the other, and one that is only read, beside it.
import { defineConfig } from "@playwright/test";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const binary = process.env.COUNTERSIGN_BINARY ?? "../target/debug/countersign";
const changed = "127.0.0.1:8499";
const read = "127.0.0.1:8498";
const reading = /(pages|screens)\.spec\.ts/;

/** A demonstration that listens there. */
function demonstration(listen: string) {
  const data = join(mkdtempSync(join(tmpdir(), "countersign-e2e-")), "data");
  return {
    command: `${binary} demo --data ${data} --listen ${listen}`,
    url: `http://${listen}/readyz`,
    timeout: 240_000,
    reuseExistingServer: false,
    gracefulShutdown: { signal: "SIGTERM" as const, timeout: 10_000 },
    stdout: "ignore" as const,
    stderr: "ignore" as const,
  };
}

export default defineConfig({
  testDir: "tests",
  workers: 2,
  fullyParallel: false,
  retries: 0,
  // Two browsers share the machine with two servers.
  timeout: 120_000,
  expect: { timeout: 10_000 },
  reporter: [["line"]],
  projects: [
    { name: "changing", testIgnore: reading, workers: 1, use: { baseURL: `http://${changed}` } },
    { name: "reading", testMatch: reading, workers: 1, use: { baseURL: `http://${read}` } },
  ],
  use: {
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
  webServer: [demonstration(changed), demonstration(read)],
});
