// The API as its own description has it: Schemathesis makes calls from the document, and every answer has to be one that the
// document names, in its schema, and never a server's error. Run by `cargo xtask contract`, which installs Schemathesis.
import { spawnSync } from "node:child_process";
import { expect, signIn, test } from "./console";

const schemathesis = process.env.SCHEMATHESIS;

for (const who of ["Iris Okonkwo", "Samir Haddad"] as const) {
  test(`what ${who}'s programs are answered is what the description says`, async ({ browser, complaints, baseURL }) => {
    test.skip(!schemathesis, "cargo xtask contract runs it");
    test.setTimeout(600_000);
    const page = await signIn(browser, who, complaints);
    await page.goto("/account");
    await page.getByLabel("Name").first().fill("contract");
    for (const box of await page.locator("form[action='/account/tokens'] input[type=checkbox]").all()) await box.check();
    await page.getByRole("button", { name: /make/i }).first().click();
    await expect(page.locator("body")).toContainText("csp_");
    const token = (await page.content()).match(/csp_[A-Za-z0-9_-]+/)![0];
    const ran = spawnSync(schemathesis!, [
      "run", `${baseURL}/api/v1/openapi.json`,
      "-H", `Authorization: Bearer ${token}`,
      "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance",
      "--max-examples", process.env.EXAMPLES ?? "60",
      "--seed", process.env.SEED ?? "1",
    ], { encoding: "utf8", maxBuffer: 64 << 20 });
    console.log(ran.stdout.slice(ran.stdout.indexOf("= SUMMARY")));
    expect(ran.status, ran.stdout).toBe(0);
  });
}
