//! The third question.

use super::{CREDENTIAL, Case, check};

#[test]
fn every_mistake_is_told() {
    check(CASES);
}

const CASES: &[Case] = &[
    Case {
        name: "no credential",
        edits: &[(
            r#"[route.credential]
kind = "none"
# it asks for nothing
"#,
            "",
        )],
        mistakes: &[
            r#"4:1 [route.credential] is missing | add [route.credential] with `kind = "api-key"`"#,
        ],
    },
    Case {
        name: "a signature that no OAuth client can have",
        edits: &[(
            CREDENTIAL,
            r#"kind = "oauth-client"
shared = true
client_id = "c"
token_url = "https://tenant.example.com/oauth/token"
signing_key = { file = "qlik-jwt-key.pem" }
algorithm = "ES256""#,
        )],
        mistakes: &[r#"21:13 Qlik takes no such signatures | write "RS256", "RS512", "ES384""#],
    },
    Case {
        name: "a key whose signatures Qlik does not take",
        edits: &[(
            CREDENTIAL,
            r#"kind = "cloud-jwt"
issuer = "https://a.example"
signing_key = { file = "ed25519-key.pem" }
key_id = "1"
subject = "{sub}"
name = "{name}"
email = "{email}""#,
        )],
        mistakes: &[
            "18:15 no signature of such a key is taken | give an RSA key or an EC key on P-256 (PKCS#8) or an EC key on P-384 (PKCS#8)",
        ],
    },
    Case {
        name: "a client's key that cannot sign as it is to",
        edits: &[(
            CREDENTIAL,
            r#"kind = "oauth-client"
shared = true
client_id = "c"
signing_key = { file = "qlik-client-key.pem" }
algorithm = "RS256""#,
        )],
        mistakes: &["19:15 this key cannot sign with RS256 | give an RSA key"],
    },
    Case {
        name: "a shared secret that cannot sign as it is to",
        edits: &[(
            CREDENTIAL,
            r#"kind = "bearer-jwt"
subject = "{sub}"
signing_secret = { env = "KEY" }
algorithm = "ES256""#,
        )],
        mistakes: &["18:18 this key cannot sign with ES256 | give an EC key on P-256 (PKCS#8)"],
    },
    Case {
        name: "an inline key",
        edits: &[(
            CREDENTIAL,
            r#"kind = "api-key"
key = "canary"
shared = true"#,
        )],
        mistakes: &[
            r#"17:7 `key` is a secret: it never stands in the config | write { env = "NAME_OF_A_VARIABLE" } or { file = "/path/of/a/file" }"#,
        ],
    },
    Case {
        name: "a key with spaces",
        edits: &[(
            CREDENTIAL,
            r#"kind = "api-key"
key = { env = "SPACED" }
shared = true"#,
        )],
        mistakes: &[
            "17:7 this secret has spaces, line ends or characters beyond ASCII | name a variable or file that holds the secret and nothing else",
        ],
    },
    Case {
        name: "a kind on one line with a secret",
        edits: &[
            (
                r#"[route.credential]
kind = "none"
# it asks for nothing
"#,
                "",
            ),
            (
                r#"path = "/qlik""#,
                r#"path = "/qlik"
credential = { kind = "bearer", token = "canary" }"#,
            ),
        ],
        mistakes: &[r#"6:23 `kind` cannot be "bearer" | write "bearer-jwt""#],
    },
    Case {
        name: "a key with a wrong name",
        edits: &[(
            CREDENTIAL,
            r#"kind = "api-key"
api_key = "canary"
shared = true"#,
        )],
        mistakes: &[
            r#"15:1 `key` is missing in [route.credential] | write `key = { env = "QLIK_API_KEY" }`"#,
            "17:1 [route.credential] has no key `api_key` | known here: `kind`, `key`, `shared`",
        ],
    },
    Case {
        name: "a client of nothing",
        edits: &[(CREDENTIAL, r#"kind = "oauth-impersonation""#)],
        mistakes: &[
            r#"15:1 `client_id` is missing in [route.credential] | write `client_id = "…"`"#,
            "15:1 [route.credential] needs `client_secret` or `signing_key` | write `client_secret` or `signing_key`",
            r#"15:1 [route.credential.user] is missing | add [route.credential.user] with `field = "subject"`"#,
        ],
    },
    Case {
        name: "a client's endpoint over plain http",
        edits: &[(
            CREDENTIAL,
            r#"kind = "oauth-client"
client_id = "c"
client_secret = { env = "S" }
token_url = "http://t.example/oauth/token"
shared = true"#,
        )],
        mistakes: &[
            "19:13 plain http to another machine can be read and changed on the way | write https://, or `allow_http = true` in this table if that way is trusted",
        ],
    },
    Case {
        name: "a client's endpoint at a plain engine",
        edits: &[
            (
                CREDENTIAL,
                r#"kind = "oauth-client"
client_id = "c"
client_secret = { env = "S" }
shared = true"#,
            ),
            (
                r#"url = "https://t.example""#,
                r#"url = "http://t.example"
allow_http = true"#,
            ),
        ],
        mistakes: &[
            "15:1 the client's secret would go to the engine's origin over plain http | write `token_url`, or `allow_http = true` in this table if that way is trusted",
        ],
    },
    Case {
        name: "one mistake for one engine without URL",
        edits: &[
            (
                CREDENTIAL,
                r#"kind = "oauth-client"
client_id = "c"
client_secret = { env = "S" }
shared = true"#,
            ),
            (r#"url = "https://t.example""#, r#"url = "t.example""#),
        ],
        mistakes: &[
            r#"21:7 this is no URL | write a URL in quotes, such as "https://tenant.eu.qlikcloud.com""#,
        ],
    },
    Case {
        name: "a client's settings",
        edits: &[(
            CREDENTIAL,
            r#"kind = "oauth-client"
client_id = "c"
client_secret = { env = "S" }
client_auth = "header"
scope = ""
timeout = "0ms"
user = { field = "subject", claim = "sub" }
shared = true"#,
        )],
        mistakes: &[
            r#"19:15 `client_auth` cannot be "header" | write "body" or "basic""#,
            "20:9 `scope` is empty | write a text in quotes, or leave `scope` out",
            r#"21:11 `timeout` cannot be nothing | write a duration in quotes, such as "500ms", "20s", "10min" or "2h""#,
            r#"22:1 [route.credential] has no key `user` | write [route.credential.user] in [route.credential] of kind "oauth-impersonation""#,
        ],
    },
    Case {
        name: "a user",
        edits: &[(
            CREDENTIAL,
            r#"kind = "oauth-impersonation"
client_id = "c"
client_secret = { env = "S" }
user = { field = "email" }"#,
        )],
        mistakes: &[
            "19:8 [route.credential.user] needs `claim` or `value` | write `claim` or `value`",
            r#"19:18 `field = "email"` is not built yet | write "subject" or "userId""#,
        ],
    },
    Case {
        name: "a user by template",
        edits: &[(
            CREDENTIAL,
            r#"kind = "oauth-impersonation"
client_id = "c"
client_secret = { env = "S" }
user = { field = "subject", value = "{a}{b}" }"#,
        )],
        mistakes: &[
            r#"19:37 two claims side by side: nobody could tell where the one ends | write a text with a claim between braces, such as "{sub}" or "app|{/user/id}""#,
        ],
    },
    Case {
        name: "a user by claim and template",
        edits: &[(
            CREDENTIAL,
            r#"kind = "oauth-impersonation"
client_id = "c"
client_secret = { env = "S" }
user = { field = "subject", value = "app|{a}", claim = "sub" }"#,
        )],
        mistakes: &["19:37 `value` cannot stand beside `claim` | keep `claim` or `value`"],
    },
    Case {
        name: "shared by everybody, and not said",
        edits: &[(
            CREDENTIAL,
            r#"kind = "api-key"
key = { env = "KEY" }"#,
        )],
        mistakes: &[r"15:1 `shared` is missing in [route.credential] | write `shared = true`"],
    },
    Case {
        name: "shared, and said not to be",
        edits: &[(
            CREDENTIAL,
            r#"kind = "api-key"
key = { env = "KEY" }
shared = false"#,
        )],
        mistakes: &[
            r#"18:10 with this kind Qlik sees everybody as one user | write `true` if that is meant, or a kind that knows people, such as "oauth-impersonation""#,
        ],
    },
    Case {
        name: "one client for people and for users",
        edits: &[(
            CREDENTIAL,
            r#"kind = "oauth-impersonation"
client_id = "c"
client_secret = { env = "S" }
user = { field = "userId", claim = "sub" }
provision = { client_id = "c", client_secret = { env = "S" }, name = "{name}" }"#,
        )],
        mistakes: &[
            "20:13 the client that administers users cannot be the one that impersonates them | write the `client_id` of another client",
        ],
    },
    Case {
        name: "users of an id that they do not have yet, over plain http",
        edits: &[(
            CREDENTIAL,
            r#"kind = "oauth-impersonation"
client_id = "c"
client_secret = { env = "S" }
user = { field = "userId", claim = "sub" }
provision = { client_id = "d", client_secret = { env = "S" }, name = "{name}", users_url = "http://t.example/users" }"#,
        )],
        mistakes: &[
            "20:92 plain http to another machine can be read and changed on the way | write https://, or `allow_http = true` in this table if that way is trusted",
        ],
    },
    Case {
        name: "an exchange of nothing",
        edits: &[
            (
                r#"kind = "jwt"
cookie = "s"
jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a""#,
                r#"kind = "forward-auth"
url = "https://a.example/me"
cookies = ["s"]
subject = "/id"
expires = "/exp""#,
            ),
            (
                CREDENTIAL,
                r#"kind = "token-exchange"
client_id = "c""#,
            ),
        ],
        mistakes: &[
            r#"15:1 no session of this route is a token that could be exchanged or passed on | add a [[route.session]] with `kind = "jwt"` or `kind = "introspection"`"#,
        ],
    },
    Case {
        name: "none asks for nothing",
        edits: &[("# it asks for nothing", r#"key = { env = "KEY" }"#)],
        mistakes: &[
            r#"17:1 [route.credential] has no key `key` | that key belongs in [listen.tls] or [admin.tls] or [route.credential] of kind "api-key" or [route.credential] of kind "qseow-ticket" or [route.credential] of kind "qseow-session" or [route.credential] of kind "engine-certificate""#,
        ],
    },
];
