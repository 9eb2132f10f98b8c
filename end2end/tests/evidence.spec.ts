// From a question to proof that an outsider can check: search, panel, export, and the check in this browser.
import { readFileSync } from "node:fs";
import { accessible, expect, flash, signIn, test } from "./console";

test("an auditor searches with completions, opens an event beside the list and narrows by what it says", async ({ browser, complaints }) => {
  const page = await signIn(browser, "Samir Haddad", complaints);
  await page.goto("/audit");
  await page.locator("html[data-islands=awake]").waitFor();
  const box = page.getByRole("combobox", { name: "Query" });
  await box.pressSequentially("outc");
  await expect(page.getByRole("option", { name: /outcome:/ })).toBeVisible();
  await box.press("ArrowDown");
  await box.press("Enter");
  await expect(box).toHaveValue("outcome:");
  await expect(page.getByRole("option", { name: /refused/ })).toBeVisible();
  await page.getByRole("option", { name: /refused/ }).click();
  await expect(box).toHaveValue("outcome:refused ");
  await box.press("Enter");
  await expect(page).toHaveURL(/q=outcome%3Arefused/);
  await page.locator("table.trail tbody th a").first().click();
  const panel = page.getByRole("complementary");
  await expect(panel.getByText("In the tree")).toBeVisible();
  await accessible(page);
  await panel.getByRole("link", { name: /^Only events with actor/ }).click();
  await expect(box).toHaveValue(/^outcome:refused actor:/);
  await page.getByRole("link", { name: /^Remove outcome/ }).click();
  await expect(box).toHaveValue(/^actor:/);
  await page.getByText("Keep this view").click();
  await page.getByLabel("Name").fill("Somebody’s refusals");
  await page.getByRole("button", { name: "Keep", exact: true }).click();
  await expect(page.getByRole("list", { name: "Views that are kept" }).getByRole("link", { name: "Somebody’s refusals" })).toBeVisible();
});

test("a bundle is made, taken, and checked in the browser without being uploaded", async ({ browser, complaints }, info) => {
  const page = await signIn(browser, "Samir Haddad", complaints, { acceptDownloads: true });
  await page.goto("/audit?q=action%3Arequest.approved+created%3A90d");
  await page.getByRole("link", { name: "Export" }).click();
  await expect(page.getByLabel("Which events")).toHaveValue("action:request.approved created:90d");
  await page.getByRole("button", { name: "Make it" }).click();
  await expect(page.getByRole("link", { name: "Take the ZIP file" })).toBeVisible({ timeout: 20_000 });
  await accessible(page);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Take the ZIP file" }).click()]);
  const path = info.outputPath("evidence.zip");
  await download.saveAs(path);
  await page.goto("/evidence");
  const sent: string[] = [];
  page.on("request", (request) => sent.push(`${request.method()} ${new URL(request.url()).pathname}`));
  await page.getByLabel(/The bundle/).setInputFiles(path);
  const said = page.locator("#check-said");
  await expect(said).toContainText("This bundle holds.");
  await expect(said).toContainText("Checked by this browser");
  await accessible(page);
  // One bit of one event.
  const bent = readFileSync(path);
  bent[bent.indexOf(Buffer.from('"leaf":"')) + 60] ^= 1;
  await page.getByLabel(/The bundle/).setInputFiles({ name: "bent.zip", mimeType: "application/zip", buffer: bent });
  await expect(said).toContainText("This bundle does not hold.");
  await page.getByLabel(/The bundle/).setInputFiles({ name: "bomb.zip", mimeType: "application/zip", buffer: Buffer.from("PK\x03\x04nothing") });
  await expect(said).toContainText("no evidence bundle");
  await page.getByLabel("Verifier key").fill("nonsense");
  await page.getByRole("button", { name: "Check it" }).click();
  await expect(said).toContainText("not a verifier key");
  expect(sent.filter((line) => line.startsWith("POST"))).toEqual([]);
});

test("whoever has no account checks evidence all the same", async ({ page }) => {
  await page.goto("/evidence");
  await expect(page.getByRole("heading", { name: "Check evidence" })).toBeVisible();
  await expect(page.getByLabel(/The bundle/)).toBeVisible();
  await accessible(page);
});

test("the log’s integrity is told, and verified as a job", async ({ browser, complaints }) => {
  const page = await signIn(browser, "Mara Lindqvist", complaints);
  await page.goto("/log");
  await page.goto("/log");
  await expect(page.getByText(/Consistent since your last visit|Nothing was added/)).toBeVisible();
  await page.getByRole("button", { name: "Verify now" }).click();
  await expect(page.getByText("whole: every event is the one that was signed")).toBeVisible({ timeout: 30_000 });
  await page.goto("/log");
  await expect(page.getByText("Whole", { exact: true })).toBeVisible();
});

test("a signal is read, assigned, put off and closed, with each answer in the trail", async ({ browser, complaints }) => {
  const page = await signIn(browser, "Mara Lindqvist", complaints);
  await page.goto("/signals?detector=refusal_burst");
  await page.getByRole("link", { name: "Burst of refusals" }).first().click();
  await expect(page.getByText(/was refused 10 times within ten minutes/)).toBeVisible();
  await expect(page.getByRole("table", { name: "Events" }).locator("tbody tr")).toHaveCount(10);
  await page.getByRole("button", { name: "Close" }).click();
  await expect(page.getByRole("alert")).toContainText("Say why");
  await page.getByLabel("Who looks at it").selectOption({ label: "Ewa Nowak" });
  await page.getByRole("button", { name: "Assign" }).click();
  await expect(flash(page)).toContainText("Assigned. They have been told.");
  await page.getByLabel("What you found").fill("A script of his, stopped.");
  await page.getByRole("button", { name: "Close" }).click();
  await expect(flash(page)).toContainText("Closed.");
  const answers = page.getByRole("region", { name: "Answers so far" });
  await expect(answers).toContainText("Closed, by Mara Lindqvist");
  await expect(answers).toContainText("Assigned to Ewa Nowak");
  await page.goto("/audit?q=action%3Asignal.closed");
  await expect(page.locator("tbody").first()).toContainText("Closed a signal");
});

test("from a figure to exactly its events, and to evidence of them", async ({ browser, complaints }, info) => {
  const page = await signIn(browser, "Samir Haddad", complaints, { acceptDownloads: true });
  await page.goto("/dashboard?range=7d");
  const cell = page.locator(".cell", { has: page.getByRole("heading", { name: "Failed attempts" }) });
  const figure = Number((await cell.locator(".figure b").innerText()).replace(/\D/g, ""));
  expect(figure).toBeGreaterThan(0);
  await cell.locator("a[href^='/audit']").last().click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Audit trail");
  await page.getByRole("link", { name: "Export" }).click();
  await page.getByRole("button", { name: "Make it" }).click();
  await expect(page.getByRole("link", { name: "Take the ZIP file" })).toBeVisible({ timeout: 20_000 });
  await expect(page.locator("main")).toContainText(`${figure} rows`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Take the ZIP file" }).click()]);
  const path = info.outputPath("failed.zip");
  await download.saveAs(path);
  await page.goto("/evidence");
  await page.getByLabel(/The bundle/).setInputFiles(path);
  await expect(page.locator("#check-said")).toContainText("This bundle holds.");
});

test("on a phone without JavaScript: a search, its event, a report with its rows, a sample, a signal", async ({ browser, complaints }) => {
  const off = { javaScriptEnabled: false, viewport: { width: 390, height: 800 }, acceptDownloads: true };
  const page = await signIn(browser, "Samir Haddad", complaints, off);
  await page.goto("/audit?q=outcome%3Arefused");
  await page.locator("main a[href*='event=']").first().click();
  await expect(page.locator("main")).toContainText("refused");
  await page.goto("/reports");
  await page.getByLabel("What", { exact: true }).selectOption({ value: "failed" });
  await page.getByLabel("As", { exact: true }).selectOption({ value: "csv" });
  await page.getByRole("button", { name: "Make it" }).click();
  const rows = page.getByRole("link", { name: "Look at its rows here" });
  await expect(async () => { await page.reload(); await expect(rows).toBeVisible({ timeout: 500 }); }).toPass({ timeout: 20_000 });
  await rows.click();
  await expect(page.getByRole("region", { name: "Rows" }).getByRole("row").nth(1)).toContainText("refused");
  await page.goto("/reports");
  await page.getByRole("link", { name: /^Sample/ }).first().click();
  await expect(page.locator("main")).toContainText("10, with the nonce Audit 2026, third quarter");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Take the PDF file" }).click()]);
  expect(readFileSync((await download.path())!).subarray(0, 5).toString()).toBe("%PDF-");
  const mara = await signIn(browser, "Mara Lindqvist", complaints, off);
  await mara.goto("/signals?detector=dormant_grant");
  await mara.getByRole("link", { name: "Dormant access" }).first().click();
  await mara.getByLabel("What you found").fill("The job starts next week.");
  await mara.getByLabel("Put off for").selectOption({ label: "a week" });
  await mara.getByRole("button", { name: "Put off" }).click();
  await expect(flash(mara)).toContainText("It comes back by itself");
});

test("printed, a page is its content alone", async ({ browser, complaints }) => {
  const page = await signIn(browser, "Mara Lindqvist", complaints);
  await page.emulateMedia({ media: "print" });
  for (const address of ["/audit?q=outcome%3Arefused", "/audit/900", "/dashboard", "/log", "/signals?show=all"]) {
    await page.goto(address);
    await expect(page.locator(".rail")).toBeHidden();
    await expect(page.locator("main h1")).toBeVisible();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(wide, address).toBe(0);
  }
});
