// A certified OpenID provider (npm: oidc-provider) with three people and their groups, on loopback.
// node provider.mjs PORT CONSOLE_URL [BACK_CHANNEL_PATH]
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const [port, console_url, back_channel] = process.argv.slice(2);

/** By subject, which is also what is typed at this provider. */
const people = {
  "u-7001": { preferred_username: "noor", name: "Noor Haddad", groups: ["countersign-security", "everybody"] },
  "u-7002": { preferred_username: "omar", name: "Omar Reyes", groups: ["everybody"] },
  "u-7003": { preferred_username: "lena", name: "Lena Vogel", groups: [] },
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
  // It reaches no loopback address by itself; the console of a test is there.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  findAccount: (_, sub) => people[sub] && { accountId: sub, claims: () => ({ sub, ...people[sub] }) },
});

provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
