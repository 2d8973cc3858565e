//! `kind = "redis"`.

use super::{Case, check};

#[test]
fn every_mistake_is_told() {
    check(CASES);
}

const CASES: &[Case] = &[
    Case {
        name: "a store that is not told",
        edits: &[(
            r#"kind = "jwt"
cookie = "s"
jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"kind = "redis"
url = "redis://localhost"
format = "express"
"#,
        )],
        mistakes: &[
            r#"7:1 `secrets` is missing beside `format = "express"` | write `secrets`"#,
            r#"7:1 `subject` is missing beside `format = "express"` | write `subject`"#,
        ],
    },
    Case {
        name: "a store over plain TCP, beside its CA",
        edits: &[(
            r#"kind = "jwt"
cookie = "s"
jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"kind = "redis"
url = "redis://r.example:6380/2"
format = "express"
secrets = { env = "S" }
subject = "user"
"#,
        )],
        mistakes: &[
            "9:7 plain redis:// to another machine can be read and changed on the way | write rediss://, or `allow_plain = true` in this table if that way is trusted",
        ],
    },
    Case {
        name: "a CA without TLS, and a user without password",
        edits: &[(
            r#"kind = "jwt"
cookie = "s"
jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"kind = "redis"
url = "redis://[::1]:6380/2"
ca = "ca.pem"
username = "u"
format = "express"
secrets = { env = "S" }
subject = "user"
"#,
        )],
        mistakes: &[
            "10:6 `ca` says nothing without TLS | begin `url` with rediss://, or leave `ca` out",
            "11:12 `username` says nothing without `password` | leave `username` out, or write `password`",
        ],
    },
    Case {
        name: "a store's password in the config",
        edits: &[(
            r#"kind = "jwt"
cookie = "s"
jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"kind = "redis"
url = "rediss://u:canary@r.example"
format = "express"
secrets = "canary"
subject = "user"
"#,
        )],
        mistakes: &[
            r#"9:7 a URL with a password is a secret: it never stands in the config | write { env = "REDIS_URL" }, or `password` beside it"#,
            r#"11:11 `secrets` is a secret: it never stands in the config | write { env = "NAME_OF_A_VARIABLE" } or { file = "/path/of/a/file" }"#,
        ],
    },
    Case {
        name: "stores that are none",
        edits: &[(
            r#"kind = "jwt"
cookie = "s"
jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"kind = "redis"
url = "memcached://r.example"
format = "sprig"
secrets = []
subject = "user"
"#,
        )],
        mistakes: &[
            "9:7 this is no `redis` or `rediss` URL | begin it with rediss://",
            r#"10:10 `format` cannot be "sprig" | write "express""#,
            r#"11:11 `secrets` is empty | write { env = "NAME_OF_A_VARIABLE" } or { file = "/path/of/a/file" }"#,
        ],
    },
    Case {
        name: "a store with a query",
        edits: &[(
            r#"kind = "jwt"
cookie = "s"
jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"kind = "redis"
url = "rediss://r.example/x?y"
format = "plain"
secrets = [{ env = "S" }]
subject = ""
"#,
        )],
        mistakes: &[
            r#"9:7 a Redis URL is host, port and database | write a URL in quotes, such as "rediss://redis.example.com:6379/0", or { env = "…" }"#,
            r#"10:10 `format = "plain"` is not built yet | write "express""#,
            "12:11 `subject` is empty | write a text in quotes, or leave `subject` out",
        ],
    },
];
