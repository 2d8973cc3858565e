// The proxy's configuration for the demo: the app says who somebody is, the proxy gets a Qlik token for that person.

/** TOML for an app at `app` and an engine at `engine`, both base URLs. */
export function proxyConfig({ app, engine }) {
  const { port } = new URL(app);
  return `identity_key = { env = "DEMO_IDENTITY_KEY" }

[log]
format = "json"

[listen]
address = "127.0.0.1:0"

[admin]
address = "127.0.0.1:0"

[[route]]
path    = "/qlik"
origins = ["http://127.0.0.1:${port}", "http://localhost:${port}"]

[[route.session]]
kind    = "forward-auth"
url     = "${app}/session"
cookies = ["app_session"]
subject = "/user"
session = "/session"
claims  = { apps = "/apps" }
recheck = "2s"

[route.access]
apps_claim = "apps"
methods    = "consumer"

[route.credential]
kind          = "oauth-impersonation"
client_id     = "demo"
client_secret = { env = "DEMO_CLIENT_SECRET" }
user          = { field = "subject", claim = "sub" }

[route.engine]
url = "${engine}"
`;
}
