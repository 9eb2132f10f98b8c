// What every browser test shares: personas, and the watch for violations of the content security policy.
import AxeBuilder from "@axe-core/playwright";
import { type Browser, type BrowserContextOptions, type Page, expect, test as base } from "@playwright/test";

export type Persona =
  | "Mara Lindqvist"
  | "Iris Okonkwo"
  | "Jonas Weidmann"
  | "Samir Haddad"
  | "Henrik Aalto"
  | "Anneliese von Hohenberg-Castellanos";

/** A page on which every console error and policy violation fails the test. */
export const test = base.extend<{ complaints: string[] }>({
  complaints: async ({}, use) => {
    const complaints: string[] = [];
    await use(complaints);
    expect(complaints).toEqual([]);
  },
});

/**
 * Statuses that a test brings about on purpose are said by the browser too; they are no complaint. With an origin, nor is what
 * pages of another site say.
 */
export function watch(page: Page, complaints: string[], origin = "") {
  page.on("console", (message) => {
    const expected = /Failed to load resource: the server responded with a status of (401|403|404|409|422)/;
    const ours = message.location().url.startsWith(origin);
    if (message.type() === "error" && ours && !expected.test(message.text())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
}

export async function signIn(browser: Browser, who: Persona, complaints: string[], options: BrowserContextOptions = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  watch(page, complaints);
  await page.goto("/sign-in");
  await page.getByRole("button", { name: who }).click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText(`Good day, ${who.split(" ")[0]}`);
  return page;
}

/** What the last change left to say. */
export function flash(page: Page) {
  return page.locator(".callout[role=status]");
}

/** The islands of this page are alive. */
export async function awake(page: Page) {
  await expect(page.locator("html[data-islands=awake]")).toBeAttached();
}

/** No finding of axe, by every rule or by some. */
export async function accessible(page: Page, rules?: string[]) {
  const axe = new AxeBuilder({ page });
  const asked = rules ? axe.withRules(rules) : axe.withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]);
  const found = await asked.analyze();
  const said = found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
  expect(said, page.url()).toEqual([]);
}

export { expect };
