// A policy of the organisation: written, tried on what was decided, confirmed by somebody else, in effect, taken out of force.
import { type Persona, accessible, awake, expect, flash, signIn, test } from "./console";

const anneliese: Persona = "Anneliese von Hohenberg-Castellanos";

const text = (slug: string) => `@id("no-new-ones")
forbid (principal is Person, action == Action::"CreateTeam", resource)
when { "${slug}" == "${slug}" };
`;

for (const [what, slug, options] of [
  ["with JavaScript", "teams-wide", {}],
  ["on a phone without JavaScript", "teams-narrow", { javaScriptEnabled: false, viewport: { width: 390, height: 800 } }],
] as const) {
  test(`a policy is written, tried, confirmed and in effect, ${what}`, async ({ browser, complaints }) => {
    const admin = await signIn(browser, anneliese, complaints, options);
    await admin.goto("/policies");
    if (what === "with JavaScript") {
      await awake(admin);
      await expect(admin.getByRole("table", { name: "Policies in force" })).toContainText("Imports stay out of staging");
    }
    await admin.getByRole("link", { name: "Write a policy" }).click();
    await admin.getByRole("link", { name: "Production" }).click();
    await expect(admin.getByRole("textbox", { name: "Rules" })).toHaveValue(/on-call/);
    await admin.getByLabel("Name", { exact: true }).fill(`No new teams ${slug}`);
    await admin.getByLabel("Short name").fill(slug);
    await admin.getByRole("textbox", { name: "Rules" }).fill("forbid (principal is Person, action == Action::\"CreateTeam\", resource)\nwhen { context.hours > 3 };");
    await admin.getByRole("button", { name: "Save the draft" }).click();
    await expect(admin.getByRole("alert")).toContainText("Line 2, column");
    await expect(admin.getByRole("button", { name: "Propose it" })).toHaveCount(0);
    if (what === "with JavaScript") await accessible(admin);
    await admin.getByRole("textbox", { name: "Rules" }).fill(text(slug));
    await admin.getByRole("button", { name: "Save the draft" }).click();
    await expect(flash(admin)).toContainText("Saved the draft of a policy");
    await admin.getByRole("button", { name: "90 days" }).click();
    await expect(admin.getByText(/Of \d+ decisions of the last 90 days/)).toBeVisible();
    if (what === "with JavaScript") await accessible(admin);
    await admin.getByRole("button", { name: "Propose it" }).click();
    await expect(admin.getByRole("heading", { level: 1 })).toHaveText(`Bring the policy No new teams ${slug} into force`);
    await expect(admin.getByRole("button", { name: "Confirm" })).toHaveCount(0);

    const mara = await signIn(browser, "Mara Lindqvist", complaints, options);
    await mara.goto("/inbox");
    await mara.getByRole("link", { name: new RegExp(`^Bring the policy No new teams ${slug}`) }).click();
    await expect(mara.getByRole("heading", { name: "Its text" })).toBeVisible();
    await expect(mara.getByText(/Of \d+ decisions of the last 30 days/)).toBeVisible();
    if (what === "with JavaScript") await accessible(mara);
    await mara.getByRole("button", { name: "Confirm: it acts now" }).click();
    await expect(flash(mara)).toContainText("Confirmed. It is in effect.");

    await admin.goto("/people");
    await admin.getByLabel("Short name").fill(`x-${slug}`);
    await admin.getByLabel("Name", { exact: true }).last().fill("One team more");
    await admin.getByRole("button", { name: "Create the team" }).click();
    await expect(admin.getByText("A policy of your organisation does not allow this here and now.")).toBeVisible();

    await admin.goto("/policies");
    await admin.getByRole("link", { name: `No new teams ${slug}` }).click();
    await admin.getByText("Version 1").first().click();
    await admin.getByRole("button", { name: "Propose to take it out of force" }).click();
    const proposal = admin.url();
    await mara.goto(proposal);
    await mara.getByRole("button", { name: "Confirm: it acts now" }).click();
    await expect(flash(mara)).toContainText("Confirmed. It is in effect.");
    await admin.goto("/people");
    await admin.getByLabel("Short name").fill(`x-${slug}`);
    await admin.getByLabel("Name", { exact: true }).last().fill("One team more");
    await admin.getByRole("button", { name: "Create the team" }).click();
    await expect(flash(admin)).toContainText("Created a team");
  });
}
