//! Bad configs and what is said of them, word for word: a good config, an edit, every mistake.

mod access;
mod credential;
mod customers;
mod engine;
mod introspection;
mod outbound;
mod process;
mod redis;
mod replicas;
mod route;
mod session;
mod shape;
mod syntax;
mod trusted_header;
mod windows;

use super::stand_in::{BASE, parse};
use crate::config::Remark;

/// Of the good config: the session, and the credential.
const SESSION: &str = r#"kind = "jwt"
cookie = "s"
jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#;
const CREDENTIAL: &str = "kind = \"none\"\n# it asks for nothing";

/// A good config made bad.
struct Case {
    name: &'static str,
    /// What of the good config gives way to what.
    edits: &'static [(&'static str, &'static str)],
    /// `line:column what | instead`.
    mistakes: &'static [&'static str],
}

fn check(cases: &[Case]) {
    parse(BASE).unwrap();
    for case in cases {
        let mut text = BASE.to_owned();
        for (from, to) in case.edits {
            assert!(text.contains(from), "{}: {from}", case.name);
            text = text.replacen(from, to, 1);
        }
        let mistakes = parse(&text).expect_err(case.name);
        let told: Vec<String> = mistakes.list().iter().map(line).collect();
        assert_eq!(told, case.mistakes, "{}", case.name);
        let page = mistakes.to_string();
        assert!(!page.contains("canary"), "{}: {page}", case.name);
    }
}

fn line(mistake: &Remark) -> String {
    let (what, instead) = (mistake.what(), mistake.instead());
    format!("{}:{} {what} | {instead}", mistake.line(), mistake.column())
}
