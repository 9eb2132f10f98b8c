// What somebody has in their pocket beside a password: an authenticator app and codes on paper.
import { createHmac } from "node:crypto";
import type { Page } from "@playwright/test";
import { expect } from "./console";

function code(key: string, step: number): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...key].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const secret = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const hash = createHmac("sha1", secret).update(counter).digest();
  const number = hash.readUInt32BE(hash[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

export class Pocket {
  private last = 0;
  private constructor(
    private key: string,
    public paper: string[],
  ) {}

  /** Adds an authenticator on one's own account's page, right after signing in. */
  static async enrol(page: Page, origin = ""): Promise<Pocket> {
    await page.goto(`${origin}/account/factors/authenticator`);
    const pocket = new Pocket((await page.locator("code.key").innerText()).replaceAll(" ", ""), []);
    await page.getByLabel("Name", { exact: true }).fill("Work phone");
    await page.getByLabel("The code that it shows now").fill(pocket.shown());
    await page.getByRole("button", { name: "Add it" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Your recovery codes");
    pocket.paper = (await page.locator("output").innerText()).trim().split(/\s+/);
    await page.getByRole("link", { name: "I have kept them" }).click();
    return pocket;
  }

  /** A code that was not used: each counts once, and one step early or late is near enough. */
  shown(): string {
    const now = Math.floor(Date.now() / 30_000);
    const step = Math.max(this.last + 1, now - 1);
    if (step > now + 1) return this.paper.pop() ?? "";
    this.last = step;
    return code(this.key, step);
  }

  /** Answers the question that the page asks. */
  async answer(page: Page) {
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Show that it is you");
    await page.locator("#code").fill(this.shown());
    await page.getByRole("button", { name: "Go on" }).click();
  }
}
