//! `kind = "introspection"`.

use super::{Case, SESSION, check};

#[test]
fn every_mistake_is_told() {
    check(CASES);
}

const CASES: &[Case] = &[
    Case {
        name: "a server that is not told",
        edits: &[(
            SESSION,
            r#"kind = "introspection"
"#,
        )],
        mistakes: &[
            r#"7:1 `url` is missing in [[route.session]] | write `url = "https://idp.example.com/introspect"`"#,
            r#"7:1 `client_id` is missing in [[route.session]] | write `client_id = "qix-proxy"`"#,
            r#"7:1 `client_secret` is missing in [[route.session]] | write `client_secret = { env = "INTROSPECTION_SECRET" }`"#,
        ],
    },
    Case {
        name: "an introspection that nothing reaches",
        edits: &[(
            SESSION,
            r#"kind = "introspection"
url = "http://idp.example/introspect"
client_id = "p"
client_secret = "canary"
client_auth = "jwt"
audience = []
"#,
        )],
        mistakes: &[
            "9:7 plain http to another machine can be read and changed on the way | write https://, or `allow_http = true` in this table if that way is trusted",
            r#"11:17 `client_secret` is a secret: it never stands in the config | write { env = "NAME_OF_A_VARIABLE" } or { file = "/path/of/a/file" }"#,
            r#"12:15 `client_auth` cannot be "jwt" | write "body" or "basic""#,
            "13:12 `audience` is empty | write a text in quotes",
        ],
    },
];
