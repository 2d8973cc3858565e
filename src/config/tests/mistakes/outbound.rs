//! `[outbound]`.

use super::{Case, check};

#[test]
fn every_mistake_is_told() {
    check(CASES);
}

const CASES: &[Case] = &[
    Case {
        name: "a proxy of another sort",
        edits: &[(
            "[listen]",
            r#"[outbound.proxy]
url = "https://egress.example"
user = "qix"
except = ["*.internal", "Core", ":80"]
[listen]"#,
        )],
        mistakes: &[
            r#"2:1 `password` is missing beside `user`: a user logs in by it | write `password = { env = "EGRESS_PASSWORD" }`"#,
            "3:7 a forward proxy is spoken to without TLS: what goes through it has its own | begin it with http://",
            r#"5:11 this is no host name, lower case and without port | write a host in quotes, such as "core.internal", or ".internal""#,
            r#"5:25 this is no host name, lower case and without port | write a host in quotes, such as "core.internal", or ".internal""#,
            r#"5:33 this is no host name, lower case and without port | write a host in quotes, such as "core.internal", or ".internal""#,
        ],
    },
    Case {
        name: "a password in the URL, and nobody whose it is",
        edits: &[(
            "[listen]",
            r#"[outbound.proxy]
url = "http://qix:canary@egress.example:3128"
password = { env = "IDENTITY" }
[listen]"#,
        )],
        mistakes: &[
            "3:7 a URL here carries no user and no password | leave out what stands before the `@`",
            "4:12 `password` says nothing without `user` | leave `password` out, or write `user`",
        ],
    },
    Case {
        name: "a path, and a user that no header can say",
        edits: &[(
            "[listen]",
            r#"[outbound.proxy]
url = "http://egress.example:3128/pac"
user = "a:b"
password = { env = "IDENTITY" }
[listen]"#,
        )],
        mistakes: &["3:7 a forward proxy has no path | leave out what follows the port"],
    },
    Case {
        name: "a user that no header can say",
        edits: &[(
            "[listen]",
            r#"[outbound.proxy]
url = "http://egress.example:3128"
user = "a:b"
password = { env = "IDENTITY" }
[listen]"#,
        )],
        mistakes: &["4:8 a user of Basic authentication has no colon | write the name alone"],
    },
];
