//! `kind = "redis"`.

use super::{Case, SESSION, check};

#[test]
fn every_mistake_is_told() {
    check(CASES);
}

const CASES: &[Case] = &[
    Case {
        name: "sessions that could end between two looks",
        edits: &[(
            SESSION,
            r#"kind = "redis"
url = "redis://localhost"
format = "express"
secrets = { env = "S" }
subject = "user"
recheck = "1min"
touch = "119s"
[[route.session]]
kind = "forward-auth"
url = "https://app.example/me"
touch = "http://app.example/touch"
cookies = ["s"]
subject = "id"
"#,
        )],
        mistakes: &[
            "14:9 a session of this length can end between two looks at it (`recheck`) | write the app's own session time, at least twice `recheck`",
            "18:9 plain http to another machine can be read and changed on the way | write https://, or `allow_http = true` in this table if that way is trusted",
        ],
    },
    Case {
        name: "a variable that is no URL, and two passwords",
        edits: &[(
            SESSION,
            r#"kind = "redis"
url = { env = "REDIS_URL" }
password = { env = "PASSWORD" }
format = "express"
secrets = { env = "S" }
subject = "user"
[[route.session]]
kind = "redis"
url = { env = "S" }
format = "express"
secrets = { env = "S" }
subject = "user"
"#,
        )],
        mistakes: &[
            "10:12 the password stands in `url` already | leave it out of one of the two",
            r#"16:7 this is no URL | write a URL in quotes, such as "rediss://redis.example.com:6379/0", or { env = "…" }"#,
        ],
    },
    Case {
        name: "a store that is not told",
        edits: &[(
            SESSION,
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
            SESSION,
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
            SESSION,
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
            SESSION,
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
            SESSION,
            r#"kind = "redis"
url = "memcached://r.example"
format = "sprig"
secrets = []
subject = "user"
"#,
        )],
        mistakes: &[
            "9:7 this is no `redis` or `rediss` URL | begin it with rediss://",
            r#"10:10 `format` cannot be "sprig" | write "spring""#,
            r#"11:11 `secrets` is empty | write { env = "NAME_OF_A_VARIABLE" } or { file = "/path/of/a/file" }"#,
        ],
    },
    Case {
        name: "a store with a query",
        edits: &[(
            SESSION,
            r#"kind = "redis"
url = "rediss://r.example/x?y"
format = "plain"
secrets = [{ env = "S" }]
subject = ""
"#,
        )],
        mistakes: &[
            r#"7:1 `cookie` is missing beside `format = "plain"` | write `cookie`"#,
            r#"7:1 `prefix` is missing beside `format = "plain"` | write `prefix`"#,
            r#"9:7 a Redis URL is host, port and database | write a URL in quotes, such as "rediss://redis.example.com:6379/0", or { env = "…" }"#,
            r#"11:11 `secrets` says nothing beside `format = "plain"` | leave `secrets` out"#,
            "12:11 `subject` is empty | write a text in quotes, or leave `subject` out",
            r#"12:11 `subject` says nothing beside `format = "plain"` | leave `subject` out"#,
        ],
    },
    Case {
        name: "a plain store with content",
        edits: &[(
            SESSION,
            r#"kind = "redis"
url = "redis://localhost"
format = "plain"
subject = "user"
"#,
        )],
        mistakes: &[
            r#"7:1 `cookie` is missing beside `format = "plain"` | write `cookie`"#,
            r#"7:1 `prefix` is missing beside `format = "plain"` | write `prefix`"#,
            r#"11:11 `subject` says nothing beside `format = "plain"` | leave `subject` out"#,
        ],
    },
    Case {
        name: "a Spring store with secrets and nobody",
        edits: &[(
            SESSION,
            r#"kind = "redis"
url = "redis://localhost"
format = "spring"
secrets = { env = "S" }
"#,
        )],
        mistakes: &[
            r#"7:1 `subject` is missing beside `format = "spring"` | write `subject`"#,
            r#"11:11 `secrets` says nothing beside `format = "spring"` | leave `secrets` out"#,
        ],
    },
    Case {
        name: "an indexed store of Express",
        edits: &[(
            SESSION,
            r#"kind = "redis"
url = "redis://localhost"
format = "express"
secrets = { env = "S" }
subject = "user"
indexed = true
"#,
        )],
        mistakes: &[
            r#"13:11 `indexed` says nothing beside `format = "express"` | leave `indexed` out"#,
        ],
    },
];
