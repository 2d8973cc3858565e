//! `[outbound]`.

use super::{Case, check};

#[test]
fn every_mistake_is_told() {
    check(CASES);
}

const CASES: &[Case] = &[Case {
    name: "a proxy of another sort",
    edits: &[(
        "[listen]",
        r#"[outbound.proxy]
url = "https://egress.example"
user = "a:b"
except = ["*.internal", "Core", ":80"]
[listen]"#,
    )],
    mistakes: &[
        r"3:7 a forward proxy is spoken to without TLS: what goes through it has its own | begin it with http://",
        r#"2:1 `password` is missing beside `user`: a user logs in by it | write `password = { env = "EGRESS_PASSWORD" }`"#,
    ],
}];
