// The whole path with JavaScript: a critical production request is signed, the value copied, the receipt proven, a
// pipeline fetches, access is revoked and fails on the next use.
import { accessible, awake, expect, flash, signIn, test } from "./console";

test.describe.configure({ mode: "serial" });

let secretPage = "";

test("security signs the waiting critical request, and it can no longer be decided", async ({ browser, complaints }) => {
  const page = await signIn(browser, "Mara Lindqvist", complaints);
  await page.getByRole("link", { name: "Inbox" }).first().click();
  await page.getByRole("link", { name: /Jonas Weidmann asks to copy/ }).first().click();
  await expect(page.getByText("Waiting for approval, 1 of 2")).toBeVisible();
  await expect(page.getByText("can decide now: Mara Lindqvist")).toBeVisible();
  await accessible(page);
  // Denying without a reason loses nothing and says where.
  await page.getByRole("button", { name: /^Deny/ }).click();
  await expect(page.getByRole("alert")).toHaveText("Say why: the requester reads it.");
  // A second tab that still shows the undecided request.
  const second = await page.context().newPage();
  await second.goto(page.url().replace("/decide", ""));
  await page.getByLabel("Comment to the requester and the record").fill("Four hours are fair.");
  await page.getByRole("button", { name: /^Approve/ }).click();
  await expect(flash(page)).toContainText("Approved. The requester has been told. Recorded as event");
  await expect(page.getByText("You cannot decide this")).toBeHidden();
  await second.getByRole("button", { name: /^Approve/ }).click();
  await expect(second.getByText("This request is no longer open.")).toBeVisible();
});

test("the requester is told, copies the value without seeing it, and holds a receipt that proves itself", async ({ browser, complaints }) => {
  const page = await signIn(browser, "Jonas Weidmann", complaints, { permissions: ["clipboard-read", "clipboard-write"] });
  await page.getByRole("link", { name: /^Notices/ }).click();
  await expect(page.getByRole("link", { name: "Your request was approved: access began" }).first()).toBeVisible();
  await page.getByRole("link", { name: /^My access/ }).click();
  await page.getByRole("link", { name: "db/settlement-primary" }).first().click();
  secretPage = page.url();
  await awake(page);
  await expect(page.getByRole("button", { name: "Show for 30 seconds" })).toHaveCount(0);
  await page.getByLabel(/What do you need it for/).fill("PAY-2291 reconciliation");
  await page.getByRole("button", { name: "Copy without showing" }).click();
  await expect(page.locator(".take [role=status]")).toContainText("Copied. Recorded as event");
  const value = await page.evaluate(() => navigator.clipboard.readText());
  expect(value.length).toBeGreaterThan(30);
  for (const part of value.split("\n")) expect(await page.content()).not.toContain(part);
  expect(page.url()).toBe(secretPage);
  await page.reload();
  await expect(page.getByRole("row", { name: /Jonas Weidmann.*copied/ }).first()).toBeVisible();
});

test("a shown value hides itself when one leaves", async ({ browser, complaints }) => {
  const page = await signIn(browser, "Jonas Weidmann", complaints);
  await page.getByRole("link", { name: /^My access/ }).click();
  await page.locator("a.path", { hasText: "bank/sepa-creditor-key" }).or(page.locator("a.path", { hasText: "db/settlement-archive" })).first().click();
  await awake(page);
  await page.getByLabel(/What do you need it for/).fill("checking");
  await page.getByRole("button", { name: "Show for 30 seconds" }).click();
  await expect(page.locator(".taken output").first()).not.toBeEmpty();
  const value = await page.locator(".taken output").first().textContent();
  await accessible(page);
  await page.evaluate(() => window.dispatchEvent(new Event("blur")));
  await expect(page.locator(".taken output")).toHaveCount(0);
  expect(await page.content()).not.toContain(value!);
});

test("an auditor finds the event, its proof holds, and no value is reachable", async ({ browser, complaints }) => {
  const page = await signIn(browser, "Samir Haddad", complaints);
  await page.getByRole("link", { name: "Audit trail" }).click();
  await page.getByLabel("Query").fill("action:secret.copied");
  await page.getByRole("button", { name: "Search", exact: true }).click();
  await expect(page).toHaveURL(/q=action%3Asecret.copied/);
  await page.getByRole("link", { name: "Copied a value" }).first().click();
  await expect(page.getByText("In the tree", { exact: true })).toBeVisible();
  await expect(page.getByText("Checked by this server")).toBeVisible();
  await expect(page.getByText("PAY-2291 reconciliation")).toBeVisible();
  await accessible(page);
  const answer = await page.request.get("/log/checkpoint");
  expect(await answer.text()).toMatch(/^countersign\.invalid\/demo\/log_[0-9a-z]+\/e0\n\d+\n/);
  await page.goto(secretPage);
  await expect(page.getByRole("button", { name: "Copy without showing" })).toHaveCount(0);
});

test("a pipeline fetches with a client secret made in the console, until it is revoked", async ({ browser, complaints, request }) => {
  const page = await signIn(browser, "Iris Okonkwo", complaints);
  await page.getByRole("link", { name: "Workloads" }).click();
  await page.getByRole("link", { name: "settlement worker" }).click();
  const workload = page.url();
  await page.getByRole("button", { name: "Issue a client secret" }).click();
  const secret = (await page.locator(".taken output").textContent())!;
  expect(secret).toMatch(/^csc_/);
  // One person alone opens nothing in production: somebody outside the team confirms it first.
  const alone = await request.post("/api/v1/token", { data: { client_secret: secret } });
  expect(alone.status()).toBe(401);
  const change = await page.getByRole("link", { name: "see the change" }).getAttribute("href");
  const mara = await signIn(browser, "Mara Lindqvist", complaints);
  await mara.goto(change!);
  await expect(mara.getByText("counts as knowing those values")).toBeVisible();
  await accessible(mara);
  await mara.getByRole("button", { name: "Confirm: it acts now" }).click();
  await expect(flash(mara)).toContainText("Confirmed. It is in effect.");
  const issued = await request.post("/api/v1/token", { data: { client_secret: secret } });
  expect(issued.status()).toBe(200);
  const { token, expires_in } = await issued.json();
  expect(expires_in).toBe(900);
  const bearer = { authorization: `Bearer ${token}` };
  const fetched = await request.get("/api/v1/secrets/payments/production/db/settlement-primary", { headers: bearer });
  expect(fetched.status()).toBe(200);
  expect(Object.keys((await fetched.json()).fields)).toEqual(["username", "password"]);
  for (const [path, status] of [
    ["payments/staging/db/settlement-primary", 403],
    ["payments/production/queue/settlement-broker", 403],
    ["payments/production/nothing", 404],
    ["payments/production/db%2Fsettlement-primary", 404],
    ["nowhere/production/a", 404],
  ] as const) {
    const refused = await request.get(`/api/v1/secrets/${path}`, { headers: bearer });
    expect(refused.status(), path).toBe(status);
    expect(refused.headers()["content-type"]).toBe("application/problem+json");
  }
  const odd = await request.post("/api/v1/token", { data: { client_secret: secret, extra: 1 } });
  expect(odd.status()).toBe(422);
  await page.goto(workload);
  await page.getByRole("button", { name: "Revoke" }).first().click();
  await expect(flash(page)).toContainText("Revoked a client secret");
  const after = await request.get("/api/v1/secrets/payments/production/db/settlement-primary", { headers: bearer });
  expect(after.status()).toBe(401);
});

test("revoked access fails on the next use", async ({ browser, complaints }) => {
  const jonas = await signIn(browser, "Jonas Weidmann", complaints);
  const iris = await signIn(browser, "Iris Okonkwo", complaints);
  await iris.goto(secretPage);
  await iris.getByRole("row", { name: /Jonas Weidmann.*copy/ }).getByRole("button", { name: "Revoke" }).first().click();
  await expect(flash(iris)).toContainText("Revoked. It fails on the next use, everywhere.");
  await jonas.goto(secretPage);
  await expect(jonas.getByRole("link", { name: "Ask for access" })).toBeVisible();
  const copied = await jonas.request.post(`${secretPage}/copy`, { form: { purpose: "x" }, headers: { accept: "application/json", "sec-fetch-site": "same-origin" } });
  expect(copied.status()).toBe(403);
  expect((await copied.json()).detail).toBe("Your access to this secret has ended. Ask for it again.");
});

test("the palette finds a secret by keyboard alone", async ({ browser, complaints }) => {
  const page = await signIn(browser, "Mara Lindqvist", complaints);
  await awake(page);
  await page.keyboard.press("Control+k");
  // The first answers come late: Enter waits for the answer to what is in the box, and opens nothing else.
  await page.route(/\/go\?q=\w{0,4}$/, async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 600));
    await route.continue().catch(() => {});
  });
  await page.keyboard.type("tokenisation");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("cards/tokenisation-hmac");
  await awake(page);
  await page.keyboard.press("g");
  await page.keyboard.press("i");
  await expect(page).toHaveURL(/\/inbox$/);
});
