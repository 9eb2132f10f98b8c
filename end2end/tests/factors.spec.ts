// Second factors from an empty installation on: an authenticator, a passkey in the browser's own device, codes on paper.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { accessible, expect, flash, test, watch } from "./console";
import { Pocket } from "./pocket";

// Browsers keep passkeys for names alone.
const here = "http://localhost:8495";
const password = "four ordinary words here";
const binary = process.env.COUNTERSIGN_BINARY ?? "../target/debug/countersign";
const data = join(mkdtempSync(join(tmpdir(), "countersign-factors-")), "data");
let server: ChildProcess;

async function signIn(page: Page) {
  await page.goto(`${here}/sign-in`);
  await page.getByLabel("Sign-in name").fill("anna");
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** A device with a passkey store, as Chromium imitates one. */
async function device(page: Page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  const options = {
    protocol: "ctap2" as const,
    transport: "internal" as const,
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  };
  const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", { options });
  const verified = (isUserVerified: boolean) =>
    devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified });
  return { verified };
}

test.describe.serial("second factors", () => {
  let anna: Page;
  let pocket: Pocket;
  let key: Awaited<ReturnType<typeof device>>;

  test.beforeAll(async ({ browser }) => {
    await new Promise((made) => spawn(binary, ["init", "--data", data], { stdio: "ignore" }).once("exit", made));
    server = spawn(binary, ["serve", "--data", data, "--listen", "127.0.0.1:8495", "--base-url", here], { stdio: "ignore" });
    await expect(async () => expect((await fetch(`${here}/readyz`)).status).toBe(200)).toPass({ timeout: 20_000 });
    anna = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
    key = await device(anna);
    await anna.goto(`${here}/set-up`);
    await anna.getByLabel("Code").fill(readFileSync(join(data, "set-up-code"), "utf8").trim());
    await anna.getByLabel("Sign-in name").fill("anna");
    await anna.getByLabel("Your name").fill("Anna Brandt");
    await anna.getByLabel("Password").fill(password);
    await anna.getByRole("button", { name: "Make the account" }).click();
    await signIn(anna);
  });

  test.afterAll(() => {
    server.kill();
  });

  test("are asked for before there is one, and an authenticator is added", async ({ complaints }) => {
    watch(anna, complaints, here);
    await expect(anna.getByText("You have no second factor")).toBeVisible();
    await anna.goto(`${here}/reports`);
    await anna.getByRole("button", { name: "Make it" }).first().click();
    await expect(anna.getByRole("heading", { level: 1 })).toHaveText("A second factor is needed");
    await accessible(anna);
    await anna.getByRole("link", { name: "Add a second factor" }).click();
    await anna.getByRole("link", { name: "Add an authenticator app" }).click();
    await accessible(anna);
    await anna.getByLabel("Name", { exact: true }).fill("Work phone");
    await anna.getByLabel("The code that it shows now").fill("000000");
    await anna.getByRole("button", { name: "Add it" }).click();
    await expect(anna.getByText("This is not the code that the app shows now")).toBeVisible();
    await expect(anna.getByLabel("Name", { exact: true })).toHaveValue("Work phone");
    pocket = await Pocket.enrol(anna, here);
    expect(pocket.paper).toHaveLength(10);
    await expect(anna.getByRole("table", { name: "Second factors" })).toContainText("10 of 10 left");
    await accessible(anna);
  });

  test("a passkey is added after a code, and answers once for one act", async ({ complaints }) => {
    watch(anna, complaints, here);
    await anna.getByRole("link", { name: "Add a passkey" }).click();
    await accessible(anna);
    await anna.getByLabel("Name", { exact: true }).fill("This laptop");
    await anna.getByRole("button", { name: "Add it" }).click();
    await pocket.answer(anna);
    await expect(flash(anna)).toContainText("Enrolled a second factor");
    await expect(anna.getByRole("table", { name: "Second factors" })).toContainText("This laptop");
    // Taking evidence out: the passkey answers. What it sent is caught on the way, and counts no second time.
    await anna.goto(`${here}/reports`);
    await anna.getByRole("button", { name: "Make it" }).first().click();
    await expect(anna.getByRole("heading", { level: 1 })).toHaveText("Show that it is you");
    await accessible(anna);
    const sent = anna.waitForRequest((request) => request.method() === "POST" && request.url().endsWith("/reports"));
    await anna.getByRole("button", { name: "Use a passkey" }).click();
    await expect(anna).toHaveURL(/\/reports\/rep_/);
    const body = (await sent).postData() ?? "";
    expect(body).toContain("signature");
    const headers = { "content-type": "application/x-www-form-urlencoded", origin: here };
    const again = await anna.request.post(`${here}/reports`, { data: body, headers, maxRedirects: 0 });
    expect(again.status()).toBe(422);
    // A device that did not check who holds it is not enough.
    await anna.goto(`${here}/reports`);
    await anna.getByRole("button", { name: "Make it" }).first().click();
    await key.verified(false);
    await anna.getByRole("button", { name: "Use a passkey" }).click();
    await expect(anna.getByText("Nothing was done")).toBeVisible();
    await key.verified(true);
    await anna.getByRole("link", { name: "Back, without doing it" }).click();
    await expect(anna).toHaveURL(`${here}/reports`);
  });

  test("signing in takes the password and one of them", async ({ complaints }) => {
    watch(anna, complaints, here);
    await anna.getByRole("button", { name: "Sign out" }).click();
    await signIn(anna);
    await expect(anna.getByRole("heading", { level: 1 })).toHaveText("Show that it is you");
    await accessible(anna);
    await anna.locator("#code").fill("123 456");
    await anna.getByRole("button", { name: "Go on" }).click();
    await expect(anna.getByRole("alert")).toContainText("not a code of yours");
    await anna.getByRole("button", { name: "Use a passkey" }).click();
    await expect(anna.getByRole("heading", { level: 1 })).toContainText("Good day, Anna");
    await anna.goto(`${here}/audit?q=action:person.proved`);
    await expect(anna.getByRole("main")).toContainText("Proved with a second factor that it is them");
  });

  test("work on a phone without JavaScript, light and dark", async ({ browser, complaints }) => {
    for (const colorScheme of ["light", "dark"] as const) {
      const phone = { viewport: { width: 390, height: 800 }, javaScriptEnabled: false, colorScheme };
      const page = await (await browser.newContext(phone)).newPage();
      watch(page, complaints, here);
      await signIn(page);
      await page.locator("#code").fill(pocket.paper.pop() ?? "");
      await page.getByRole("button", { name: "Go on" }).click();
      await expect(page.getByRole("heading", { level: 1 })).toContainText("Good day, Anna");
      await page.context().close();
    }
    await anna.goto(`${here}/notices`);
    await expect(anna.getByText("A recovery code of yours was used").first()).toBeVisible();
    for (const address of ["/account", "/account/factors/authenticator", "/account/factors/passkey"]) {
      for (const [width, colorScheme] of [[390, "dark"], [1280, "dark"], [390, "light"]] as const) {
        await anna.setViewportSize({ width, height: 900 });
        await anna.emulateMedia({ colorScheme });
        await anna.goto(here + address);
        await accessible(anna);
        const wide = await anna.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect(wide, `${address} scrolls sideways at ${width}`).toBeLessThanOrEqual(0);
      }
    }
  });

  test("are removed with proof, and codes on paper are made anew", async ({ complaints }) => {
    watch(anna, complaints, here);
    await anna.goto(`${here}/account`);
    await anna.getByRole("button", { name: "Make new recovery codes" }).click();
    await anna.getByRole("button", { name: "Use a passkey" }).click();
    await expect(anna.getByRole("heading", { level: 1 })).toHaveText("Your recovery codes");
    const paper = (await anna.locator("output").innerText()).trim().split(/\s+/);
    await anna.getByRole("link", { name: "I have kept them" }).click();
    await anna.getByRole("row", { name: /This laptop/ }).getByRole("button", { name: "Remove" }).click();
    await anna.locator("#code").fill(pocket.paper[0]);
    await anna.getByRole("button", { name: "Go on" }).click();
    await expect(anna.getByRole("alert")).toContainText("not a code of yours");
    await anna.locator("#code").fill(paper[0]);
    await anna.getByRole("button", { name: "Go on" }).click();
    await expect(flash(anna)).toContainText("Removed a second factor");
    await expect(anna.getByRole("table", { name: "Second factors" })).not.toContainText("This laptop");
  });
});
