// Sign-in through a certified OpenID provider, from an empty installation on: set up, connected, used, left.
// README "Connect your identity provider" says these steps in words.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "@playwright/test";
import { accessible, expect, flash, test, watch } from "./console";
import { Pocket } from "./pocket";

const here = "http://127.0.0.1:8497";
const there = "http://127.0.0.1:8496";
const password = "four ordinary words here";
const binary = process.env.COUNTERSIGN_BINARY ?? "../target/debug/countersign";
const data = join(mkdtempSync(join(tmpdir(), "countersign-provider-")), "data");
const running: ChildProcess[] = [];

async function up(url: string) {
  await expect(async () => expect((await fetch(url)).status).toBeLessThan(500)).toPass({ timeout: 20_000 });
}

function start(command: string, ...given: string[]): ChildProcess {
  const child = spawn(command, given, { stdio: "ignore" });
  running.push(child);
  return child;
}

let provider: ChildProcess;

async function startProvider(backChannel?: string) {
  provider = start("node", "provider/provider.mjs", new URL(there).port, here, ...(backChannel ? [backChannel] : []));
  await up(`${there}/.well-known/openid-configuration`);
}

async function stopProvider() {
  const over = new Promise((ended) => provider.once("exit", ended));
  provider.kill();
  await over;
}

const subjects = { noor: "u-7001", omar: "u-7002", lena: "u-7003" };

/** Signs in at the provider, from the button on. What the provider's own pages complain of is not ours. */
async function signIn(browser: Browser, who: keyof typeof subjects, complaints: string[], options: BrowserContextOptions = {}): Promise<Page> {
  const page = await (await browser.newContext(options)).newPage();
  await page.goto(`${here}/sign-in`);
  await page.getByRole("link", { name: "Sign in with Example ID" }).click();
  await page.locator("input[name=login]").fill(subjects[who]);
  await page.locator("input[name=password]").fill("anything");
  await page.locator("button[type=submit]").click();
  await page.locator("button[type=submit]").click();
  await expect(page).toHaveURL(new RegExp(`^${here}`));
  watch(page, complaints, here);
  return page;
}

test.describe.serial("an identity provider", () => {
  let admin: Page;
  let pocket: Pocket;
  let page: string;

  test.beforeAll(async ({ browser }) => {
    await new Promise((made) => start(binary, "init", "--data", data).once("exit", made));
    start(binary, "serve", "--data", data, "--listen", new URL(here).host, "--allow-private", "127.0.0.1/32");
    await up(`${here}/readyz`);
    await startProvider();
    admin = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
    await admin.goto(`${here}/set-up`);
    await admin.getByLabel("Code").fill(readFileSync(join(data, "set-up-code"), "utf8").trim());
    await admin.getByLabel("Sign-in name").fill("anna");
    await admin.getByLabel("Your name").fill("Anna Brandt");
    await admin.getByLabel("Password").fill(password);
    await admin.getByRole("button", { name: "Make the account" }).click();
    await admin.getByLabel("Sign-in name").fill("anna");
    await admin.getByLabel("Password").fill(password);
    await admin.getByRole("button", { name: "Sign in" }).click();
    await expect(admin.getByRole("heading", { level: 1 })).toContainText("Good day, Anna");
    pocket = await Pocket.enrol(admin, here);
  });

  test.afterAll(() => running.forEach((child) => child.kill()));

  test("is connected by an administrator, after an emergency account", async ({ complaints }) => {
    watch(admin, complaints, here);
    await admin.getByRole("link", { name: "Sign-in", exact: true }).click();
    await accessible(admin);
    const settings = async () => {
      await admin.getByLabel("Name", { exact: true }).fill("Example ID");
      await admin.getByLabel("Issuer").fill(there);
      await admin.getByLabel("Client id").fill("countersign");
      await admin.getByLabel("Client secret").fill("a secret that only tests know");
      await admin.getByLabel("Who gets an account").selectOption("yes");
    };
    await settings();
    await admin.getByRole("button", { name: "Add the provider" }).click();
    await expect(admin.getByText("First name an emergency account")).toBeVisible();
    await admin.getByLabel("Person").selectOption({ label: "Anna Brandt (Administrator)" });
    await admin.getByRole("button", { name: "Name as emergency account" }).click();
    await pocket.answer(admin);
    await settings();
    await admin.getByRole("button", { name: "Ask it first what it offers" }).click();
    await expect(admin.getByText(`${there} answers`)).toBeVisible();
    await expect(admin.getByText("RS256", { exact: true })).toBeVisible();
    await admin.getByLabel("Client secret").fill("a secret that only tests know");
    await admin.getByRole("button", { name: "Add the provider" }).click();
    expect(await admin.content()).not.toContain("only tests know");
    await pocket.answer(admin);
    await admin.getByRole("link", { name: "Example ID" }).click();
    page = new URL(admin.url()).pathname;
    await accessible(admin);
    // The provider learns where it says that somebody left.
    const backChannel = `/sign-in/back-channel/${page.split("/").pop()}`;
    await expect(admin.getByText(backChannel)).toBeVisible();
    await stopProvider();
    await startProvider(backChannel);
  });

  test("gives a role by group, said before and shown after", async ({ browser, complaints }) => {
    const first = await signIn(browser, "noor", complaints);
    await expect(first.getByRole("heading", { level: 1 })).toContainText("Good day, Noor");
    await admin.goto(here + page);
    await admin.getByLabel("Group", { exact: true }).fill("countersign-security");
    await admin.getByLabel("Gives", { exact: true }).selectOption({ label: "Security, whole organisation" });
    await admin.getByRole("button", { name: "See what it would do" }).click();
    await expect(admin.getByText("At the next sign-in these would get it: Noor Haddad")).toBeVisible();
    await accessible(admin);
    await admin.getByRole("button", { name: "Set the rule" }).click();
    await pocket.answer(admin);
    await expect(flash(admin)).toContainText("Set what a group gives");
    const noor = await signIn(browser, "noor", complaints);
    await noor.goto(`${here}/account`);
    await expect(noor.getByRole("table", { name: "Your open sessions" })).toContainText("through an identity provider");
    await expect(noor.getByRole("table", { name: "Your identities" })).toContainText("countersign-security");
    await expect(noor.getByRole("navigation", { name: "Main" })).toContainText("Security");
    await accessible(noor);
    await admin.goto(here + page);
    await expect(admin.getByRole("table", { name: "What groups give" })).toContainText("Noor Haddad");
  });

  test("sessions are ended in another browser, one's own and by an administrator", async ({ browser, complaints }) => {
    const [one, other] = [await signIn(browser, "omar", complaints), await signIn(browser, "omar", complaints)];
    await one.goto(`${here}/account`);
    await one.getByRole("table", { name: "Your open sessions" }).getByRole("button", { name: "End" }).click();
    await expect(flash(one)).toContainText("Session ended");
    await other.goto(`${here}/access`);
    await expect(other.getByRole("link", { name: "Sign in with Example ID" })).toBeVisible();
    await admin.goto(`${here}/people`);
    await admin.getByRole("link", { name: "Omar Reyes" }).click();
    await admin.getByRole("table", { name: "Open sessions, newest first" }).getByRole("button", { name: "End" }).click();
    await one.reload();
    await expect(one.getByRole("link", { name: "Sign in with Example ID" })).toBeVisible();
  });

  test("signing out leads to the provider's own sign-out, and leaving there ends the session here", async ({ browser, complaints }) => {
    const noor = await signIn(browser, "noor", complaints);
    // Another tab of the same browser, at the provider: she leaves there.
    const tab = await noor.context().newPage();
    await tab.goto(`${there}/session/end?client_id=countersign`);
    await tab.getByRole("button", { name: /yes/i }).click();
    await expect(async () => {
      await noor.goto(`${here}/access`);
      await expect(noor.getByRole("link", { name: "Sign in with Example ID" })).toBeVisible({ timeout: 1000 });
    }).toPass({ timeout: 15_000 });
    const again = await signIn(browser, "lena", complaints);
    await again.getByRole("button", { name: "Sign out" }).click();
    await again.getByRole("link", { name: "Sign out of Example ID too" }).click();
    await again.getByRole("button", { name: /yes/i }).click();
    await expect(again).toHaveURL(new RegExp(`^${here}/sign-in`));
  });

  test("works on a phone without JavaScript, light and dark", async ({ browser, complaints }) => {
    for (const colorScheme of ["light", "dark"] as const) {
      const phone = { viewport: { width: 390, height: 800 }, javaScriptEnabled: false, colorScheme };
      const lena = await signIn(browser, "lena", complaints, phone);
      await expect(lena.getByRole("heading", { level: 1 })).toContainText("Good day, Lena");
      await lena.context().close();
    }
    for (const address of ["/sign-in", "/providers", page, "/controls", "/people", "/account"]) {
      for (const [width, colorScheme] of [[390, "dark"], [1280, "dark"], [390, "light"]] as const) {
        await admin.setViewportSize({ width, height: 900 });
        await admin.emulateMedia({ colorScheme });
        await admin.goto(here + address);
        await accessible(admin);
        const wide = await admin.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect(wide, `${address} scrolls sideways at ${width}`).toBeLessThanOrEqual(0);
      }
    }
    const out = await (await browser.newContext({ viewport: { width: 390, height: 800 } })).newPage();
    await out.goto(`${here}/sign-in`);
    await accessible(out);
  });

  test("that does not answer leaves whoever is in, and the emergency account", async ({ browser, complaints }) => {
    const omar = await signIn(browser, "omar", complaints);
    await stopProvider();
    await omar.goto(`${here}/access`);
    await expect(omar.getByRole("heading", { level: 1 })).toContainText("My access");
    const emergency = await (await browser.newContext()).newPage();
    await emergency.goto(`${here}/sign-in`);
    await emergency.getByText("Emergency account").click();
    await emergency.getByLabel("Sign-in name").fill("anna");
    await emergency.getByLabel("Password").fill(password);
    await emergency.getByRole("button", { name: "Sign in" }).click();
    await pocket.answer(emergency);
    await expect(emergency.getByRole("heading", { level: 1 })).toContainText("Good day, Anna");
  });
});
