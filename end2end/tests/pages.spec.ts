// Every page, for every persona, wide and narrow, light and dark: no accessibility finding, no policy violation, nothing
// that scrolls sideways. They read, and nothing else: the configuration gives them a demonstration that nobody changes.
import { type Persona, accessible, expect, signIn, test } from "./console";

const pages: Record<Persona, string[]> = {
  "Mara Lindqvist": ["/", "/inbox", "/projects", "/projects/payments", "/projects/payments?q=zzz", "/people", "/people?q=zzz", "/controls", "/policies", "/policies/new?template=production", "/levels", "/levels/staging", "/projects/payments/drift", "/explain", "/explain?secret=x", "/workloads", "/dashboard", "/dashboard?range=7d&level=production", "/signals", "/signals?show=all", "/signals?show=mine", "/audit", "/audit/5", "/log", "/reports", "/evidence", "/account", "/api", "/notices", "/rotations", "/rotations/calendar", "/rotations/calendar?view=agenda", "/cases", "/rotations/known", "/rotations/select?older=30", "/jobs"],
  "Iris Okonkwo": ["/", "/inbox", "/requests", "/access", "/projects/payments", "/projects/payments/secrets/new", "/projects/payments/import", "/workloads/new", "/rotations", "/cases?project=payments", "/rotations/calendar?month=2030-02"],
  "Jonas Weidmann": ["/", "/requests", "/access", "/inbox", "/levels", "/projects/payments/drift?what=missing"],
  "Anneliese von Hohenberg-Castellanos": ["/", "/inbox", "/people?q=lead", "/providers", "/controls", "/policies", "/levels/production", "/account", "/account/factors/authenticator"],
  "Henrik Aalto": ["/", "/audit", "/audit?q=outcome%3Arefused", "/reports", "/evidence", "/account", "/people", "/notices"],
  "Samir Haddad": ["/", "/audit?q=outcome%3Arefused", "/audit?q=acter%3Ax", "/audit?q=action%3Arevealed&event=900", "/audit/900/why", "/people"],
};

// What a narrow page adds is its layout, which no theme changes, and what the other theme adds is its colours: the narrow page is
// looked at in one theme, and the wide one for its contrast alone in the other.
for (const [width, colorScheme, other] of [[1280, "light", "dark"], [390, "dark", null]] as const) {
  for (const who of Object.keys(pages) as Persona[]) {
    test(`${who}, ${width} wide, ${colorScheme}`, async ({ browser, complaints }) => {
      // Some forty pages, each looked at by axe.
      test.setTimeout(600_000);
      const page = await signIn(browser, who, complaints, { viewport: { width, height: 900 }, colorScheme, reducedMotion: "reduce" });
      const addresses = [...pages[who]];
      if (who === "Mara Lindqvist" || who === "Iris Okonkwo") {
        await page.goto("/projects/payments");
        addresses.push((await page.locator("a.slot").first().getAttribute("href"))!);
        const secret = addresses[addresses.length - 1];
        if (who === "Iris Okonkwo") addresses.push(`${secret}/write`, `${secret}/archive`);
        addresses.push(`/requests/new?secret=${secret.split("/").pop()}`);
        addresses.push(`${secret}/access`, `/explain?who=jonas.weidmann&secret=${secret.split("/").pop()}`);
        addresses.push((await page.locator("thead a").first().getAttribute("href"))!);
        await page.goto("/rotations");
        for (const [table, form] of [["Rotations under way", true], ["Rotations that ended", false]] as const) {
          const line = (await page.getByRole("table", { name: table }).locator("tbody th a").first().getAttribute("href"))!;
          addresses.push(line);
          if (form && who === "Iris Okonkwo") addresses.push(`${secret}/rotation`, `${secret}/leak`);
        }
        if (who === "Mara Lindqvist") {
          for (const of of ["odd_hours", "refusal_burst", "mutual_approvals"]) {
            await page.goto(`/signals?show=all&detector=${of}`);
            addresses.push((await page.getByRole("table", { name: "Signals" }).locator("tbody th a").first().getAttribute("href"))!);
          }
        }
        await page.goto("/cases");
        addresses.push((await page.getByRole("table", { name: "Open cases" }).locator("tbody th a").first().getAttribute("href"))!);
        await page.goto("/people");
        addresses.push((await page.locator("tbody th a").first().getAttribute("href"))!);
        addresses.push((await page.getByRole("table", { name: "Teams by name" }).locator("tbody th a").first().getAttribute("href"))!);
        await page.goto("/workloads");
        addresses.push((await page.locator("tbody th a").first().getAttribute("href"))!);
      }
      if (who === "Mara Lindqvist" || who === "Anneliese von Hohenberg-Castellanos") {
        await page.goto("/controls");
        addresses.push(...(await page.locator("tbody th a").evaluateAll((links) => links.map((link) => link.getAttribute("href")!))));
        await page.goto("/people?q=ingrid");
        addresses.push((await page.locator("tbody th a").first().getAttribute("href"))!);
      }
      for (const address of addresses) {
        const answer = await page.goto(address);
        expect(answer!.status(), address).toBeLessThan(500);
        await accessible(page);
        if (other) {
          await page.emulateMedia({ colorScheme: other });
          await accessible(page, ["color-contrast"]);
          await page.emulateMedia({ colorScheme });
        }
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect(wide, `${address} scrolls sideways`).toBeLessThanOrEqual(0);
      }
    });
  }
}

test("the sign-in page loads no script at all and is accessible", async ({ page }) => {
  const loaded: string[] = [];
  page.on("request", (request) => loaded.push(request.url()));
  await page.goto("/sign-in");
  expect(loaded.filter((url) => /\.(js|wasm)$/.test(url))).toEqual([]);
  await accessible(page);
});
