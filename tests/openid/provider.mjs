// A certified OpenID provider (oidc-provider) on loopback, for tests: node provider.mjs PEOPLE
// PEOPLE is a JSON file: each person's claims by subject, read anew whenever they are asked for.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [path] = process.argv.slice(2);
const people = () => JSON.parse(readFileSync(path, "utf8"));

const server = createServer().listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: "second-look",
        client_secret: "only between these two",
        redirect_uris: ["http://127.0.0.1/sign-in/openid/back"],
        post_logout_redirect_uris: ["http://127.0.0.1/sign-in"],
      },
    ],
    claims: { openid: ["sub"], profile: ["name", "preferred_username"], groups: ["groups"] },
    findAccount: (_, sub) =>
      people()[sub] && { accountId: sub, claims: () => ({ sub, ...people()[sub] }) },
    // Nobody is asked for consent.
    loadExistingGrant: async (context) => {
      const { client, session } = context.oidc;
      const found = { clientId: client.clientId, accountId: session.accountId };
      const grant = new context.oidc.provider.Grant(found);
      grant.addOIDCScope("openid profile groups");
      await grant.save();
      return grant;
    },
    cookies: { keys: ["a key of tests"] },
  });
  // The site's port is free, and so known to no client that is registered before.
  const path = (address) => new URL(address).pathname;
  for (const [allowed, kind] of [
    ["redirectUriAllowed", "redirectUris"],
    ["postLogoutRedirectUriAllowed", "postLogoutRedirectUris"],
  ]) {
    provider.Client.prototype[allowed] = function (address) {
      return this[kind].some((one) => path(one) === path(address));
    };
  }
  server.on("request", provider.callback());
  console.log(issuer);
});
