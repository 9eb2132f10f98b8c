// The core path with JavaScript switched off: ask, approve, reveal, give back.
import { expect, flash, signIn, test } from "./console";

const off = { javaScriptEnabled: false };

test("ask, approve, reveal and give back without JavaScript", async ({ browser, complaints }) => {
  const jonas = await signIn(browser, "Jonas Weidmann", complaints, off);
  await jonas.goto("/projects/payments?q=cards/acquirer");
  await jonas.locator("td[data-l=Staging] a.slot").first().click();
  await jonas.getByRole("link", { name: "Ask for access" }).click();
  await jonas.getByRole("button", { name: "Send for review" }).click();
  await expect(jonas.getByRole("alert")).toHaveText("Say why: whoever decides reads it.");
  await jonas.getByLabel("Why").fill("OPS-1: without JavaScript");
  await jonas.getByLabel("For how long").selectOption({ label: "2 hours" });
  await jonas.getByRole("button", { name: "Send for review" }).click();
  await expect(flash(jonas)).toContainText("It is not access yet");
  const request = jonas.url();

  const iris = await signIn(browser, "Iris Okonkwo", complaints, off);
  await iris.goto(request);
  await iris.getByRole("button", { name: /^Approve/ }).click();
  await expect(flash(iris)).toContainText("Approved");

  await jonas.goto("/access");
  await jonas.locator("a.path", { hasText: "cards/acquirer-api" }).first().click();
  await jonas.getByLabel(/What do you need it for/).fill("checking");
  const secret = jonas.url();
  await jonas.getByRole("button", { name: "Show for 30 seconds" }).click();
  await expect(jonas.locator("output").first()).not.toBeEmpty();
  expect(jonas.url()).toBe(`${secret}/reveal`);
  await jonas.getByRole("link", { name: "Done" }).click();
  await jonas.goto("/access");
  await jonas.getByRole("row", { name: /cards\/acquirer-api/ }).getByRole("button", { name: "I’m done" }).first().click();
  await expect(flash(jonas)).toContainText("You can no longer read it here");
  await jonas.goto(secret);
  await expect(jonas.getByRole("link", { name: "Ask for access" })).toBeVisible();
});

test("an approver gives less than was asked for, from a later start", async ({ browser, complaints }) => {
  const jonas = await signIn(browser, "Jonas Weidmann", complaints, off);
  await jonas.goto("/projects/payments?q=cards/acquirer");
  await jonas.locator("td[data-l=Staging] a.slot").first().click();
  const secret = jonas.url();
  await jonas.getByRole("link", { name: "Ask for access" }).click();
  await jonas.getByLabel("Why").fill("OPS-2: less is enough");
  await jonas.getByLabel("For how long").selectOption({ label: "8 hours" });
  await jonas.getByLabel("Begins").fill("2020-01-01T10:00");
  await jonas.getByRole("button", { name: "Send for review" }).click();
  await expect(jonas.getByRole("alert")).toHaveText("Between now and seven days from now, or empty.");
  const tomorrow = new Date(Date.now() + 24 * 3600 * 1000).toISOString().slice(0, 16);
  await jonas.getByLabel("Begins").fill(tomorrow);
  await jonas.getByRole("button", { name: "Send for review" }).click();
  await expect(flash(jonas)).toContainText("It is not access yet");
  const request = jonas.url();

  const iris = await signIn(browser, "Iris Okonkwo", complaints, off);
  await iris.goto(request);
  await iris.getByText("Approve less than was asked for").click();
  await iris.getByRole("button", { name: "Approve this part" }).click();
  await expect(iris.getByRole("alert").first()).toContainText("This is all that was asked for");
  await iris.getByLabel("For how long").selectOption({ label: "30 minutes" });
  await iris.getByRole("button", { name: "Approve this part" }).click();
  await expect(flash(iris)).toContainText("Approved");
  await expect(iris.getByText("revision 2")).toBeAttached();
  await jonas.goto(secret);
  await expect(jonas.getByText("Begins later").first()).toBeVisible();
  await jonas.goto("/access");
  await expect(jonas.getByText("Begins later").first()).toBeVisible();
});

test("the theme is a cookie, painted right on the first byte", async ({ browser, complaints }) => {
  const page = await signIn(browser, "Samir Haddad", complaints, off);
  await page.getByRole("button", { name: "Dark" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.getByRole("button", { name: "System" }).click();
  await expect(page.locator("html")).not.toHaveAttribute("data-theme", "dark");
});

test("a form from another site, an ended session and wrong addresses are refused clearly", async ({ browser, complaints }) => {
  const page = await signIn(browser, "Jonas Weidmann", complaints, off);
  const cross = await page.request.post("/requests", { form: { form: "x" }, headers: { origin: "https://evil.example", "sec-fetch-site": "cross-site" } });
  expect(cross.status()).toBe(403);
  await page.goto("/requests/req_00000000000000000000000000");
  await expect(page.getByText("There is nothing here, or nothing that you may see.")).toBeVisible();
  await page.goto("/projects/customs-gateway");
  await expect(page.getByText("There is nothing here")).toBeVisible();
  await page.goto("/audit");
  await expect(page.getByText("No rule allows you to do this.")).toBeVisible();
  await page.goto("/");
  await page.getByRole("button", { name: "Sign out" }).click();
  const ended = await page.request.post("/requests", { form: { form: "x" }, headers: { "sec-fetch-site": "same-origin" } });
  expect(ended.status()).toBe(401);
  await page.goto("/inbox");
  await expect(page).toHaveURL(/\/sign-in\?next=%2Finbox/);
});

test("a personal access token is made, used by a program, and ended", async ({ browser, complaints, request }) => {
  const iris = await signIn(browser, "Iris Okonkwo", complaints, off);
  await iris.goto("/account");
  await iris.getByRole("button", { name: "Make a token" }).click();
  await expect(iris.getByRole("alert")).toHaveText("This is needed.");
  await iris.getByLabel("Name").fill("Release script");
  await iris.getByRole("button", { name: "Make a token" }).click();
  await expect(iris.getByRole("alert")).toHaveText("Choose what it is for.");
  await expect(iris.getByLabel("Name")).toHaveValue("Release script");
  await iris.getByLabel(/^Read rotations, their calendar/).check();
  await iris.getByRole("button", { name: "Make a token" }).click();
  const token = (await iris.locator("output").textContent())!;
  expect(token).toMatch(/^csp_/);
  const headers = { authorization: `Bearer ${token}` };
  const list = await request.get("/api/v1/rotations?state=open", { headers });
  expect(list.status()).toBe(200);
  const first = (await list.json()).items[0];
  expect(first.id).toMatch(/^rot_/);
  const refused = await request.post(`/api/v1/rotations/${first.id}/cut-off`, { headers, data: {} });
  expect(refused.status()).toBe(403);
  expect((await refused.json()).type).toBe("urn:countersign:token_scope");
  await iris.getByRole("link", { name: "Done" }).click();
  const line = iris.getByRole("row", { name: /Release script/ });
  await expect(line).toContainText("less than a minute");
  expect(await iris.content()).not.toContain(token);
  await line.getByRole("button", { name: "End" }).click();
  await expect(flash(iris)).toContainText("Ended a personal access token");
  expect((await request.get("/api/v1/rotations", { headers })).status()).toBe(401);
});
