// A certified OpenID provider (npm: oidc-provider) with three people and their groups, on loopback.
// node provider.mjs PORT CONSOLE_URL [BACK_CHANNEL_PATH]
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const [port, console_url, back_channel] = process.argv.slice(2);

/** Subjects are ids, as real providers' are; people type their names. */
const people = {
  noor: { sub: "u-7001", name: "Noor Haddad", groups: ["countersign-security", "everybody"] },
  omar: { sub: "u-7002", name: "Omar Reyes", groups: ["everybody"] },
  lena: { sub: "u-7003", name: "Lena Vogel", groups: [] },
};

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = { ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: `key-${Date.now()}` };

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys: [key] },
  cookies: { keys: ["only for tests"] },
  clients: [
    {
      client_id: "countersign",
      client_secret: "a secret that only tests know",
      redirect_uris: [`${console_url}/sign-in/return`],
      post_logout_redirect_uris: [`${console_url}/sign-in`],
      response_types: ["code"],
      grant_types: ["authorization_code"],
      ...(back_channel && {
        backchannel_logout_uri: `${console_url}${back_channel}`,
        backchannel_logout_session_required: true,
      }),
    },
  ],
  scopes: ["openid", "profile", "groups"],
  claims: { openid: ["sub"], profile: ["name", "preferred_username"], groups: ["groups"] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  features: { backchannelLogout: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  findAccount: (_, id) => {
    const [name, person] = Object.entries(people).find(([name, person]) => name === id || person.sub === id) ?? [];
    return person && { accountId: person.sub, claims: () => ({ ...person, preferred_username: name }) };
  },
});

provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
