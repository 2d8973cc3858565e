//! What is no TOML.

use super::{Case, check};

#[test]
fn every_mistake_is_told() {
    check(CASES);
}

const CASES: &[Case] = &[
    Case {
        name: "a text without quotes",
        edits: &[(r#"path = "/qlik""#, "path = /qlik")],
        mistakes: &[
            r#"5:8 this is no TOML: string values must be quoted | put the text into quotes: "…""#,
        ],
    },
    Case {
        name: "a key twice",
        edits: &[(
            r#"path = "/qlik""#,
            r#"path = "/qlik"
path = "/qlik""#,
        )],
        mistakes: &["6:1 this key or table is written twice | keep one of the two"],
    },
    Case {
        name: "a table twice",
        edits: &[("[route.engine]", "[route.access]\n[route.engine]")],
        mistakes: &["18:8 this key or table is written twice | keep one of the two"],
    },
    Case {
        name: "no value",
        edits: &[(r#"path = "/qlik""#, "path =")],
        mistakes: &[
            r#"5:7 this is no TOML: string values must be quoted | put the text into quotes: "…""#,
        ],
    },
    Case {
        name: "an open text, and what is missing is not guessed",
        edits: &[(r#"path = "/qlik""#, r#"path = "/qlik"#)],
        mistakes: &[r#"5:14 this is no TOML: invalid basic string | write here: `"`"#],
    },
    Case {
        name: "a syntax error hides what is behind the key",
        edits: &[("# it asks for nothing", "key = hunter2-canary")],
        mistakes: &[
            r#"17:7 this is no TOML: string values must be quoted | put the text into quotes: "…""#,
        ],
    },
    Case {
        name: "and a wrong value beside it as well",
        edits: &[(
            "# it asks for nothing",
            r#"key = { evn = "canary", file "canary" }"#,
        )],
        mistakes: &[
            "17:30 this is no TOML: missing assignment between key-value pairs | write here: `=`",
        ],
    },
];
