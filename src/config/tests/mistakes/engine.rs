//! The fourth question.

use super::{Case, check};

#[test]
fn every_mistake_is_told() {
    check(CASES);
}

const CASES: &[Case] = &[
    Case {
        name: "no engine",
        edits: &[(
            r#"[route.engine]
url = "https://t.example"
"#,
            "",
        )],
        mistakes: &[
            r#"4:1 [route.engine] is missing | add [route.engine] with `url = "https://tenant.eu.qlikcloud.com"`"#,
        ],
    },
    Case {
        name: "no url",
        edits: &[(r#"url = "https://t.example""#, r#"ping = "never""#)],
        mistakes: &[
            r#"18:1 `url` is missing in [route.engine] | write `url = "https://tenant.eu.qlikcloud.com"`"#,
        ],
    },
    Case {
        name: "plain http",
        edits: &[(r#"url = "https://t.example""#, r#"url = "ws://t.example""#)],
        mistakes: &[
            "19:7 plain http to another machine can be read and changed on the way | write https://, or `allow_http = true` in this table if that way is trusted",
        ],
    },
    Case {
        name: "a url of an app",
        edits: &[(
            r#"url = "https://t.example""#,
            r#"url = "wss://t.example/vp/app/4f1b""#,
        )],
        mistakes: &[
            r#"19:7 an engine's URL names no app: each socket names its own | leave out "/app/" and what follows it"#,
        ],
    },
    Case {
        name: "a url with a token",
        edits: &[(
            r#"url = "https://t.example""#,
            r#"url = "wss://t.example?accessToken=canary""#,
        )],
        mistakes: &["19:7 an engine's URL has no query | leave out the `?` and what follows it"],
    },
    Case {
        name: "a url with a password",
        edits: &[(
            r#"url = "https://t.example""#,
            r#"url = "https://canary@t.example""#,
        )],
        mistakes: &[
            "19:7 a URL here carries no user and no password | leave out what stands before the `@`",
        ],
    },
    Case {
        name: "a url without host",
        edits: &[(r#"url = "https://t.example""#, r#"url = "https://""#)],
        mistakes: &[
            r#"19:7 this is no URL | write a URL in quotes, such as "https://tenant.eu.qlikcloud.com""#,
        ],
    },
    Case {
        name: "settings",
        edits: &[(
            r#"url = "https://t.example""#,
            r#"url = "https://t.example"
ping = "0s"
session_ttl = "never"
dial_timeout = "0s"
ca = "missing.pem"
server_name = "a b""#,
        )],
        mistakes: &[
            r#"20:8 `ping` cannot be nothing | write "never""#,
            r#"21:15 "never" is no duration | write a duration in quotes, such as "500ms", "20s", "10min" or "2h""#,
            r#"22:16 `dial_timeout` cannot be nothing | write a duration in quotes, such as "500ms", "20s", "10min" or "2h""#,
            "23:6 missing.pem cannot be read: entity not found | name a file that this user can read",
            r#"24:15 no certificate can carry this name | write the name in the certificate, such as "qlik.example.com""#,
        ],
    },
];
