// The pictures of the README: SCREENSHOTS=1 npx playwright test screens (alone: other tests decide what it shows)
import { signIn, test } from "./console";

test.skip(!process.env.SCREENSHOTS, "only when the pictures are made anew");

const shot = (name: string) => ({ path: `screenshots/${name}.png` });

test("the README's pictures", async ({ browser, complaints }) => {
  const wide = { viewport: { width: 1280, height: 860 }, colorScheme: "light" as const };
  const mara = await signIn(browser, "Mara Lindqvist", complaints, wide);
  await mara.goto("/inbox");
  await mara.getByRole("link", { name: /Jonas Weidmann asks to copy/ }).first().click();
  await mara.screenshot(shot("request"));
  await mara.goto("/projects/payments");
  await mara.screenshot(shot("matrix"));
  await mara.getByRole("link", { name: "db/settlement-primary" }).first().click();
  await mara.screenshot(shot("secret"));
  await mara.goto("/explain?who=jonas.weidmann&secret=payments/production/bank/sepa-creditor-key");
  await mara.screenshot(shot("explain"));
  await mara.goto("/audit?q=outcome%3Arefused");
  await mara.screenshot(shot("audit"));
  await mara.goto("/dashboard");
  await mara.screenshot(shot("dashboard"));
  await mara.goto("/signals?show=all&detector=odd_hours");
  await mara.getByRole("row", { name: /Priya Raghunathan/ }).getByRole("link").first().click();
  await mara.screenshot(shot("signal"));
  await mara.goto("/rotations/calendar");
  await mara.screenshot(shot("calendar"));
  await mara.goto("/cases");
  await mara.getByRole("row", { name: /after a leak/ }).getByRole("link").first().click();
  await mara.screenshot(shot("case"));
  const phone = await signIn(browser, "Iris Okonkwo", complaints, { viewport: { width: 390, height: 780 }, colorScheme: "dark" });
  await phone.goto("/inbox");
  await phone.screenshot(shot("phone"));
});
