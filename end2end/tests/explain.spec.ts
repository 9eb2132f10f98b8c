// Why not, and whom to ask; who could on a day that was; why an event was decided so; what holds at a level; drift.
import { readFile } from "node:fs/promises";
import { accessible, awake, expect, flash, signIn, test } from "./console";

for (const [what, options] of [
  ["with JavaScript", {}],
  ["on a phone without JavaScript", { javaScriptEnabled: false, viewport: { width: 390, height: 800 } }],
] as const) {
  const wide = what === "with JavaScript";

  test(`a refusal names its rule and who can help, ${what}`, async ({ browser, complaints }) => {
    const jonas = await signIn(browser, "Jonas Weidmann", complaints, options);
    await jonas.goto("/projects/payments");
    if (wide) await awake(jonas);
    await jonas.locator("td[data-l=Production] a.slot").first().click();
    await jonas.getByRole("link", { name: "Why, and whom to ask" }).click();
    await expect(jonas.getByText("Jonas Weidmann cannot take this value")).toBeVisible();
    const acts = jonas.getByRole("table", { name: "What they may do with this secret" });
    const copy = acts.getByRole("row", { name: /Copy the value/ });
    await expect(copy).toContainText("an approved request to read");
    await expect(copy).toContainText("Iris Okonkwo");
    await copy.locator("summary").click();
    await expect(copy.locator("pre")).toContainText("forbid");
    if (wide) await accessible(jonas);
    // About others it takes a role.
    await jonas.getByLabel("Who").fill("lucia.ferraro");
    await jonas.getByRole("button", { name: "Explain" }).click();
    await expect(jonas.getByText("No rule allows you to do this.")).toBeVisible();

    const mara = await signIn(browser, "Mara Lindqvist", complaints, options);
    await mara.goto("/explain");
    await mara.getByLabel("Who").fill("nobody.here");
    await mara.getByRole("textbox", { name: "Secret", exact: true }).fill("payments/production/db/settlement-primary");
    await mara.getByRole("button", { name: "Explain" }).click();
    await expect(mara.getByRole("alert")).toHaveText("Nobody here is called so.");
    await mara.getByLabel("Who").fill("iris.okonkwo");
    await mara.getByRole("button", { name: "Explain" }).click();
    await expect(mara.getByRole("table", { name: "Roles that count here" })).toContainText("Lead");
    if (wide) await accessible(mara);
  });

  test(`who can read it now and on a day that was, and why an event was decided so, ${what}`, async ({ browser, complaints }) => {
    const mara = await signIn(browser, "Mara Lindqvist", complaints, options);
    await mara.goto("/projects/payments");
    await mara.locator("td[data-l=Production] a.slot").first().click();
    await mara.getByRole("link", { name: "Explained, also at a time before" }).click();
    await expect(mara.getByText("As of now")).toBeVisible();
    const before = new Date(Date.now() - 40 * 86_400_000).toISOString().slice(0, 10);
    await mara.getByLabel("When").fill(before);
    await mara.getByRole("button", { name: "Show" }).click();
    await expect(mara.getByText("as they were then; class")).toBeVisible();
    await expect(mara.getByRole("heading", { name: "Who could" })).toBeVisible();
    await mara.getByLabel("When").fill("tomorrow");
    await mara.getByRole("button", { name: "Show" }).click();
    await expect(mara.getByRole("alert")).toContainText("Write a day");

    await mara.goto("/audit?q=outcome%3Arefused%20action%3Arevealed");
    await mara.getByRole("main").locator("a[href*='event=']").first().click();
    if (wide) await awake(mara);
    await mara.getByRole("link", { name: "why", exact: true }).first().click();
    await expect(mara.getByRole("heading", { name: "By this rule" })).toBeVisible();
    await expect(mara.getByText("Protection level", { exact: true }).first()).toBeVisible();
    await expect(mara.getByRole("heading", { name: "Whom to ask" })).toBeVisible();
    if (wide) await accessible(mara);
  });
}

for (const [what, options, level, before, after, more] of [
  ["with JavaScript", {}, "Development", "1 hour", "45", "50"],
  ["on a phone without JavaScript", { javaScriptEnabled: false, viewport: { width: 390, height: 800 } }, "Test", "20 minutes", "18", "19"],
] as const) {
  const wide = what === "with JavaScript";

  test(`a level is made stricter at once, looser by two; drift leads to the secrets, ${what}`, async ({ browser, complaints }) => {
    const admin = await signIn(browser, "Anneliese von Hohenberg-Castellanos", complaints, options);
    await admin.goto("/levels");
    if (wide) await awake(admin);
    await expect(admin.getByRole("table", { name: "Settings by protection level" })).toContainText("built in: 30 minutes");
    await admin.goto(`/levels/${level.toLowerCase()}`);
    await admin.getByLabel("Workload token, minutes").fill(after);
    await admin.getByRole("button", { name: "Set" }).click();
    await expect(flash(admin)).toContainText("Set what holds at a protection level");
    await expect(admin.getByRole("table", { name: "What was set" })).toContainText(`${before} → ${after} minutes`);
    await admin.getByLabel("Workload token, minutes").fill(more);
    await admin.getByRole("button", { name: "Set" }).click();
    await expect(admin.getByRole("heading", { level: 1 })).toHaveText(`Set what holds at the protection level ${level}`);
    const proposal = admin.url();
    const mara = await signIn(browser, "Mara Lindqvist", complaints, options);
    await mara.goto(proposal);
    await expect(mara.getByText(`${after} minutes`)).toBeVisible();
    if (wide) await accessible(mara);
    await mara.getByRole("button", { name: "Confirm: it acts now" }).click();
    await expect(flash(mara)).toContainText("Confirmed. It is in effect.");

    await mara.goto("/projects/payments");
    await mara.getByRole("link", { name: "Drift" }).click();
    await mara.getByRole("link", { name: /^not everywhere/ }).click();
    const table = mara.getByRole("table", { name: "Differences between environments" });
    await expect(table.locator("tbody tr").first()).toContainText("missing");
    const download = mara.waitForEvent("download");
    await mara.getByRole("link", { name: "CSV" }).click();
    expect((await download).suggestedFilename()).toBe("drift-payments.csv");
  });

  test(`somebody is named to decide while one is away, ${what}`, async ({ browser, complaints }) => {
    const iris = await signIn(browser, "Iris Okonkwo", complaints, options);
    await iris.goto("/account");
    if (wide) await awake(iris);
    await expect(iris.getByRole("table", { name: "Who decides in whose place" })).toContainText("You decide in the place of Magnus Berg");
    const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
    await iris.getByLabel("Who decides").fill("jonas.weidmann");
    await iris.getByLabel("From").fill(day(0));
    await iris.getByLabel("Until").fill(day(3));
    await iris.getByRole("button", { name: "Propose" }).click();
    await expect(iris.getByRole("heading", { level: 1 })).toHaveText("Let Jonas Weidmann decide on requests in the place of Iris Okonkwo");
    const proposal = iris.url();
    const mara = await signIn(browser, "Mara Lindqvist", complaints, options);
    await mara.goto(proposal);
    if (wide) await accessible(mara);
    await mara.getByRole("button", { name: "Confirm: it acts now" }).click();
    await expect(flash(mara)).toContainText("Confirmed. It is in effect.");
    const jonas = await signIn(browser, "Jonas Weidmann", complaints, options);
    await jonas.goto("/account");
    if (wide) await accessible(jonas);
    await jonas.getByRole("row", { name: /You decide in the place of Iris Okonkwo/ }).getByRole("button", { name: "End" }).click();
    await expect(flash(jonas)).toContainText("Nobody decides in their place any more");
  });
}

for (const [what, options] of [
  ["with JavaScript", {}],
  ["on a phone without JavaScript", { javaScriptEnabled: false, viewport: { width: 390, height: 800 } }],
] as const) {
  const wide = what === "with JavaScript";

  test(`an auditor of a period reads its events and takes a report of it, ${what}`, async ({ browser, complaints }) => {
    const henrik = await signIn(browser, "Henrik Aalto", complaints, { acceptDownloads: true, ...options });
    const audited = henrik.getByRole("region", { name: "You audit" }).getByRole("link", { name: /^Events of/ });
    const [from, until] = (await audited.textContent())!.match(/\d+ \w+ \d{4}, \d\d:\d\d/g)!.map((at) => Date.parse(`${at} UTC`));
    // Nothing of what is stands beside it.
    await expect(henrik.getByRole("region", { name: "You hold" })).toHaveCount(0);
    await expect(henrik.getByRole("link", { name: "Projects" })).toHaveCount(0);
    if (wide) await accessible(henrik);
    await audited.click();
    if (wide) await awake(henrik);
    // Every day that is shown lies in the period, also where the query asks for more.
    for (const query of ["", "outcome:refused", "created:365d"]) {
      await henrik.goto(`/audit?q=${encodeURIComponent(query)}`);
      const days = henrik.getByRole("main").getByText(/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d+ \w+ \d{4}$/);
      await expect(days.first()).toBeVisible();
      for (const day of await days.allTextContents()) {
        const at = Date.parse(`${day} UTC`);
        expect(from <= at && at < until, `${query}: ${day}`).toBe(true);
      }
    }
    // A value is taken by policy alone: there is a rule to read.
    await henrik.goto("/audit?q=action%3Arevealed+action%3Acopied");
    await henrik.getByRole("main").locator("a[href*='event=']").first().click();
    if (wide) await awake(henrik);
    await henrik.getByRole("link", { name: "why", exact: true }).first().click();
    await expect(henrik.getByRole("heading", { name: /^(By this rule|Policy allowed it)$/ })).toBeVisible();
    if (wide) await accessible(henrik);
    // Nothing of now: no such page, and no such event.
    expect((await henrik.goto("/dashboard"))!.status()).toBe(403);
    expect((await henrik.goto("/people"))!.status()).toBe(403);
    expect((await henrik.goto("/projects/payments"))!.status()).toBe(404);
    expect((await henrik.goto("/audit/3"))!.status()).toBe(404);

    await henrik.goto("/reports");
    await henrik.getByLabel("What", { exact: true }).selectOption({ value: "events" });
    await henrik.getByLabel("As", { exact: true }).selectOption({ value: "csv" });
    await henrik.getByRole("button", { name: "Make it" }).click();
    const take = henrik.getByRole("link", { name: "Take the CSV file" });
    await expect(async () => { await henrik.reload(); await expect(take).toBeVisible({ timeout: 500 }); }).toPass({ timeout: 20_000 });
    const [download] = await Promise.all([henrik.waitForEvent("download"), take.click()]);
    const saved = await download.path();
    const rows = (await readFile(saved, "utf8")).split("\n").filter((line) => /\d{4}-\d\d-\d\dT/.test(line));
    expect(rows.length).toBeGreaterThan(100);
    const at = rows.map((line) => Date.parse(line.match(/\d{4}-\d\d-\d\dT[\d:.]+Z/)![0]));
    expect(at.every((one) => from <= one && one < until)).toBe(true);
  });
}
