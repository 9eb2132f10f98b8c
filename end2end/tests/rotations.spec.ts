// Rotations in the browser: a schedule and its next times, a rotation to its proof, a leak contained and closed, the calendar
// by keyboard, many at once. The receiver in the demonstration is the target.
import type { Page } from "@playwright/test";
import { accessible, expect, flash, signIn, test } from "./console";

const phone = { javaScriptEnabled: false, viewport: { width: 390, height: 844 } };

async function secret(page: Page, path: string, level: string) {
  await page.goto(`/projects/payments?q=${path}`);
  await page.locator(`td[data-l=${level}] a.slot`).first().click();
  return page.url();
}

/** Loads the page again until the service has done its part. */
async function until(page: Page, words: string | RegExp) {
  await expect(async () => {
    await page.reload();
    await expect(page.getByText(words).first()).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 40_000 });
}

test("a schedule, its next times and a pause, on a phone without JavaScript", async ({ browser, complaints }) => {
  const iris = await signIn(browser, "Iris Okonkwo", complaints, phone);
  const place = await secret(iris, "cards/tokenisation", "Test");
  await iris.goto(`${place}/rotation`);
  await iris.getByLabel("When it rotates").selectOption("cron");
  await iris.getByLabel("Cron expression").fill("61 * * * *");
  await iris.getByLabel("Zone").fill("Europe/Berlin");
  await iris.getByRole("button", { name: "Set" }).click();
  await expect(iris.getByRole("alert")).toContainText("Five fields");
  await expect(iris.getByLabel("Zone")).toHaveValue("Europe/Berlin");
  await iris.getByLabel("Cron expression").fill("30 2 * * *");
  await iris.getByRole("button", { name: "Set" }).click();
  await expect(flash(iris)).toContainText("Set.");
  await iris.getByText("Next five times").click();
  await expect(iris.getByRole("table", { name: "Next times" }).locator("tbody tr")).toHaveCount(5);
  await expect(iris.getByText("30 2 * * * in Europe/Berlin")).toBeVisible();
  await iris.getByText("Pause its schedule").click();
  await iris.getByLabel("Why").last().fill("change freeze");
  await iris.getByRole("button", { name: "Pause", exact: true }).click();
  await expect(flash(iris)).toContainText("Paused.");
  await iris.getByRole("button", { name: "End the pause" }).click();
  await expect(flash(iris)).toContainText("The pause is over");
});

test("a rotation to the proof that the old value is dead, on a phone without JavaScript", async ({ browser, complaints }) => {
  const iris = await signIn(browser, "Iris Okonkwo", complaints, phone);
  // Whatever rotates it already has to end first: the demonstration rotates one of the two on its last day.
  const place = await secret(iris, "cards/acquirer-api", "Production");
  await iris.getByRole("button", { name: "Check first" }).click();
  await expect(iris.getByText("It will work")).toBeVisible();
  await iris.goto(place);
  await iris.getByRole("button", { name: "Rotate now" }).click();
  await expect(flash(iris)).toContainText("Begun.");
  await until(iris, "In use; old value still works");
  await expect(iris.getByText("settlement-worker").first()).toBeVisible();
  await iris.getByRole("button", { name: "Disable the old value now" }).click();
  await until(iris, "Old value proved dead");
  await expect(iris.getByText(/old refused invalid_credential, new accepted/).first()).toBeVisible();
  await iris.goto(place);
  await expect(iris.getByText("proved dead").first()).toBeVisible();
});

test("a leak is reported, contained, rotated and its case closed", async ({ browser, complaints }) => {
  const jonas = await signIn(browser, "Jonas Weidmann", complaints);
  const place = await secret(jonas, "bank/sepa", "Production");
  await jonas.getByRole("link", { name: "Report a leak" }).click();
  await jonas.getByRole("button", { name: "Report" }).click();
  await expect(jonas.getByRole("alert")).toContainText("Say what happened");
  await jonas.getByLabel("What happened").fill("It stood in a chat of the partner.");
  await jonas.getByRole("button", { name: "Report" }).click();
  await expect(flash(jonas)).toContainText("Leads and security have been told");
  const found = jonas.url();

  const mara = await signIn(browser, "Mara Lindqvist", complaints);
  await mara.goto("/notices");
  await expect(mara.getByText("A leak was reported: contain it").first()).toBeVisible();
  await mara.goto(found);
  await expect(mara.getByText("It stood in a chat of the partner.")).toBeVisible();
  await accessible(mara);
  await mara.getByLabel("Suspend the access of").selectOption("nobody");
  await mara.getByRole("button", { name: "Cut off now" }).click();
  await expect(flash(mara)).toContainText("Contained.");
  await mara.goto(found);
  await until(mara, "Old value proved dead");
  await mara.goto(place);
  await expect(mara.getByText("proved dead").first()).toBeVisible();
});

test("the calendar by keyboard alone", async ({ browser, complaints }) => {
  const mara = await signIn(browser, "Mara Lindqvist", complaints);
  await mara.goto("/rotations/calendar");
  const month = await mara.locator(".month-name").textContent();
  await mara.getByRole("link", { name: "Later" }).focus();
  await mara.keyboard.press("Enter");
  await expect(mara.locator(".month-name")).not.toHaveText(month!);
  await mara.getByRole("link", { name: "Later" }).focus();
  await mara.keyboard.press("Tab");
  await mara.keyboard.press("Tab");
  await expect(mara.getByRole("link", { name: "Agenda" })).toBeFocused();
  await mara.keyboard.press("Enter");
  const first = mara.getByRole("table", { name: "Rotations of the month" }).locator("tbody a").first();
  await expect(first).toBeVisible();
  // On paper it is the list alone.
  const rows = await mara.getByRole("table", { name: "Rotations of the month" }).locator("tbody tr").count();
  await mara.emulateMedia({ media: "print" });
  for (const control of ["Later", "Agenda", "Cases"]) await expect(mara.getByRole("link", { name: control })).toBeHidden();
  await expect(mara.getByRole("table", { name: "Rotations of the month" }).locator("tbody tr")).toHaveCount(rows);
  await expect(first).toBeVisible();
  await mara.emulateMedia({ media: null });
  await mara.keyboard.press("Tab");
  await first.focus();
  await mara.keyboard.press("Enter");
  await expect(mara).toHaveURL(/\/secrets\//);
});

test("many at once, with who will notice", async ({ browser, complaints }) => {
  const iris = await signIn(browser, "Iris Okonkwo", complaints);
  await iris.goto("/rotations/select");
  await expect(iris.getByText("Nothing chosen yet")).toBeVisible();
  await iris.getByLabel("Project", { exact: true }).selectOption("payments");
  await iris.getByLabel("Path begins with").fill("mail/");
  await iris.getByRole("button", { name: "Find" }).click();
  const rows = iris.getByRole("table", { name: "Secrets to rotate" }).locator("tbody tr");
  await expect(rows.first()).toContainText("mail/receipts-smtp");
  const ready = await rows.filter({ hasText: "will begin" }).count();
  await iris.getByLabel("Path begins with").fill("zzz");
  await iris.getByRole("button", { name: "Find" }).click();
  await expect(iris.getByText("Nothing fits")).toBeVisible();
  await iris.goBack();
  if (ready > 0) {
    await iris.getByRole("button", { name: "Rotate what is ticked" }).click();
    await expect(iris.getByRole("link", { name: "Rotation begun" })).toHaveCount(ready);
  }
});

test("values known to people lead to rotating them", async ({ browser, complaints }) => {
  const mara = await signIn(browser, "Mara Lindqvist", complaints);
  await mara.goto("/rotations/known");
  await mara.getByRole("link", { name: "Rotate to clear" }).first().click();
  await expect(mara.getByRole("table", { name: "Secrets to rotate" }).locator("tbody tr")).toHaveCount(1);
});
