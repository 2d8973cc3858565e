//! The second question.

use super::{Case, check};

#[test]
fn every_mistake_is_told() {
    check(CASES);
}

const CASES: &[Case] = &[
    Case {
        name: "no access",
        edits: &[(
            r#"[route.access]
apps = "any"
"#,
            "",
        )],
        mistakes: &[r#"4:1 [route.access] is missing | add [route.access] with `apps = ["…"]`"#],
    },
    Case {
        name: "neither list nor claim",
        edits: &[(
            r#"apps = "any"
"#,
            "",
        )],
        mistakes: &[
            "13:1 [route.access] needs `apps` or `apps_claim` | write `apps` or `apps_claim`",
        ],
    },
    Case {
        name: "both list and claim",
        edits: &[(
            r#"apps = "any""#,
            r#"apps = "any"
apps_claim = "apps""#,
        )],
        mistakes: &["15:14 `apps_claim` cannot stand beside `apps` | keep `apps` or `apps_claim`"],
    },
    Case {
        name: "an app without brackets",
        edits: &[(r#"apps = "any""#, r#"apps = "4f1b""#)],
        mistakes: &[r#"14:8 `apps` is a list | put the id into brackets: ["…"]"#],
    },
    Case {
        name: "every app, in a list",
        edits: &[(r#"apps = "any""#, r#"apps = ["*"]"#)],
        mistakes: &[r#"14:8 a list names apps one by one | for every app, write apps = "any""#],
    },
    Case {
        name: "no app",
        edits: &[(r#"apps = "any""#, "apps = []")],
        mistakes: &[
            r#"14:8 `apps` is empty, so nobody can open anything | write the ids of apps, or "any""#,
        ],
    },
    Case {
        name: "an app of nothing",
        edits: &[(r#"apps = "any""#, r#"apps = [""]"#)],
        mistakes: &["14:9 `apps` is empty | write a text in quotes, or leave `apps` out"],
    },
    Case {
        name: "methods not built yet",
        edits: &[(
            r#"apps = "any""#,
            r#"apps = "any"
methods = "author""#,
        )],
        mistakes: &[r#"15:11 `methods = "author"` is not built yet | write "consumer" or "any""#],
    },
    Case {
        name: "methods of one's own, not built yet",
        edits: &[(
            r#"apps = "any""#,
            r#"apps = "any"
methods = { deny = ["DoSave"] }"#,
        )],
        mistakes: &[
            r#"15:11 a list of one's own calls is not built yet | write "consumer" or "any""#,
        ],
    },
    Case {
        name: "methods nobody knows",
        edits: &[(
            r#"apps = "any""#,
            r#"apps = "any"
methods = "consumers"
session_apps = "true""#,
        )],
        mistakes: &[
            r#"15:11 `methods` cannot be "consumers" | write "consumer""#,
            "16:16 `session_apps` cannot be a string | write `true` or `false`, without quotes",
        ],
    },
];
