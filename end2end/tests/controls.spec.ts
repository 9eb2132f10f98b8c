// What loosens takes two: proposed by an administrator, refused its effect, confirmed by security, in effect. With JavaScript, and
// on a phone without.
import { type Persona, accessible, awake, expect, flash, signIn, test } from "./console";

const anneliese: Persona = "Anneliese von Hohenberg-Castellanos";

for (const [what, who, options] of [
  ["with JavaScript", "Lucia Ferraro", {}],
  ["on a phone without JavaScript", "Magnus Berg", { javaScriptEnabled: false, viewport: { width: 390, height: 800 } }],
] as const) {
  test(`a role waits for somebody else, ${what}`, async ({ browser, complaints }) => {
    const admin = await signIn(browser, anneliese, complaints, options);
    await admin.goto(`/people?q=${encodeURIComponent(who)}`);
    await admin.getByRole("link", { name: who }).click();
    const person = admin.url();
    await admin.getByLabel("Role", { exact: true }).selectOption({ label: "Lead" });
    await admin.getByLabel("In", { exact: true }).selectOption({ label: "the project tracking" });
    await admin.getByLabel(/Until the end of/).fill("2030-12-31");
    await admin.getByRole("button", { name: "Give the role" }).click();
    await expect(flash(admin)).toContainText("It has no effect until somebody else confirms it");
    await expect(admin.getByRole("heading", { level: 1 })).toContainText(`Make ${who} Lead of tracking, until`);
    await expect(admin.getByRole("button", { name: "Confirm" })).toHaveCount(0);
    const proposal = admin.url();
    await admin.goto(person);
    await expect(admin.getByText("Lead of tracking")).toHaveCount(0);

    const mara = await signIn(browser, "Mara Lindqvist", complaints, options);
    await mara.goto("/inbox");
    if (what === "with JavaScript") await awake(mara);
    await mara.getByRole("link", { name: new RegExp(`^Make ${who} Lead of tracking`) }).click();
    await expect(mara.getByRole("table", { name: "What changes" })).toContainText("Lead of tracking, until");
    await mara.getByRole("button", { name: "Decline" }).click();
    await expect(mara.getByText("Say why: the proposer reads it.")).toBeVisible();
    if (what === "with JavaScript") await accessible(mara);
    await mara.getByRole("button", { name: "Confirm: it acts now" }).click();
    await expect(flash(mara)).toContainText("Confirmed. It is in effect.");
    await expect(mara.getByText("Confirmed, in effect")).toBeVisible();
    await admin.goto(person);
    await expect(admin.getByRole("table", { name: "Roles" })).toContainText("Lead of tracking");
    await expect(admin.getByText("Decides less for now")).toBeVisible();
    await admin.goto(proposal);
    await expect(admin.getByText(/By Mara Lindqvist/)).toBeVisible();
  });
}

test("a team says who belongs to it and what it keeps, and a new member of it waits", async ({ browser, complaints }) => {
  const admin = await signIn(browser, anneliese, complaints);
  await admin.goto("/people");
  await admin.getByRole("link", { name: "Payments", exact: true }).click();
  await expect(admin.getByRole("table", { name: "Members by name" })).toContainText("Iris Okonkwo");
  await expect(admin.getByText("Members issue client secrets for its workloads")).toBeVisible();
  await admin.getByLabel("Person").selectOption({ label: "Lucia Ferraro" });
  await admin.getByRole("button", { name: "Add to the team" }).click();
  await expect(admin.getByRole("heading", { level: 1 })).toContainText("Add Lucia Ferraro to the team Payments");
  await admin.getByRole("button", { name: "Withdraw it" }).click();
  await expect(admin.getByText("Withdrawn", { exact: true })).toBeVisible();
});
