//! Keys and tables: unknown, misplaced, missing, of the wrong type.

use super::{Case, check};

#[test]
fn every_mistake_is_told() {
    check(CASES);
}

const CASES: &[Case] = &[
    Case {
        name: "an unknown key, near another",
        edits: &[(r#"path = "/qlik""#, r#"pth = "/qlik""#)],
        mistakes: &[
            r#"4:1 `path` is missing in [[route]] | write `path = "/qlik"`"#,
            "5:1 [[route]] has no key `pth` | write `path`",
        ],
    },
    Case {
        name: "an unknown key, known elsewhere",
        edits: &[(
            r#"apps = "any""#,
            r#"apps = "any"
ping = "20s""#,
        )],
        mistakes: &["15:1 [route.access] has no key `ping` | that key belongs in [route.engine]"],
    },
    Case {
        name: "an unknown key, known to another kind",
        edits: &[(
            r#"cookie = "s""#,
            r#"cookie = "s"
recheck = "5s""#,
        )],
        mistakes: &[
            r#"10:1 [[route.session]] has no key `recheck` | that key belongs in [[route.session]] of kind "forward-auth" or [[route.session]] of kind "introspection" or [[route.session]] of kind "redis""#,
        ],
    },
    Case {
        name: "a table that belongs below",
        edits: &[("[route.access]", "[access]")],
        mistakes: &[
            r#"4:1 [route.access] is missing | add [route.access] with `apps = ["…"]`"#,
            "13:2 the top of the file has no key `access` | write [route.access]",
        ],
    },
    Case {
        name: "an unknown key that is like nothing",
        edits: &[(
            r#"apps = "any""#,
            r#"apps = "any"
frobnicate = 1"#,
        )],
        mistakes: &[
            "15:1 [route.access] has no key `frobnicate` | known here: `apps`, `apps_claim`, `methods`, `session_apps`",
        ],
    },
    Case {
        name: "one bracket too few",
        edits: &[("[[route]]\n", "[route]\n")],
        mistakes: &["4:1 `route` cannot be a table | write [[route]], with two brackets"],
    },
    Case {
        name: "a value where a table is wanted",
        edits: &[(
            r#"[listen]
address = "127.0.0.1:8080""#,
            r#"listen = "127.0.0.1:8080""#,
        )],
        mistakes: &["2:10 `listen` cannot be a string | write [listen] above its keys"],
    },
    Case {
        name: "a list where a table is wanted",
        edits: &[("[route.engine]", "[[route.engine]]")],
        mistakes: &["18:1 `engine` cannot be a list | write [route.engine], with one bracket"],
    },
    Case {
        name: "no route at all",
        edits: &[(
            r#"[[route]]
path = "/qlik"
origins = ["https://a.example"]
[[route.session]]
kind = "jwt"
cookie = "s"
jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
[route.access]
apps = "any"
[route.credential]
kind = "none"
# it asks for nothing
[route.engine]
url = "https://t.example"
"#,
            "",
        )],
        mistakes: &[r#"1:1 [[route]] is missing | add [[route]] with `path = "/qlik"`"#],
    },
    Case {
        name: "an empty list of routes",
        edits: &[(
            r#"identity_key = { env = "IDENTITY" }
[listen]
address = "127.0.0.1:8080"
[[route]]
path = "/qlik"
origins = ["https://a.example"]
[[route.session]]
kind = "jwt"
cookie = "s"
jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
[route.access]
apps = "any"
[route.credential]
kind = "none"
# it asks for nothing
[route.engine]
url = "https://t.example"
"#,
            "route = []\n",
        )],
        mistakes: &["1:9 [[route]] is empty | add [[route]]"],
    },
    Case {
        name: "a list of what is no table",
        edits: &[(
            r#"identity_key = { env = "IDENTITY" }
[listen]
address = "127.0.0.1:8080"
[[route]]
path = "/qlik"
origins = ["https://a.example"]
[[route.session]]
kind = "jwt"
cookie = "s"
jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
[route.access]
apps = "any"
[route.credential]
kind = "none"
# it asks for nothing
[route.engine]
url = "https://t.example"
"#,
            r#"route = ["secret"]
"#,
        )],
        mistakes: &["1:10 `route` cannot be a string | write [[route]] above its keys"],
    },
    Case {
        name: "a route of nothing",
        edits: &[(
            r#"[[route]]
path = "/qlik"
origins = ["https://a.example"]
[[route.session]]
kind = "jwt"
cookie = "s"
jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
[route.access]
apps = "any"
[route.credential]
kind = "none"
# it asks for nothing
[route.engine]
url = "https://t.example"
"#,
            "[[route]]\n",
        )],
        mistakes: &[
            r#"4:1 `path` is missing in [[route]] | write `path = "/qlik"`"#,
            r#"4:1 `origins` is missing in [[route]] | write `origins = ["https://app.example.com"]`"#,
            r#"4:1 [[route.session]] is missing | add [[route.session]] with `kind = "jwt"`"#,
            r#"4:1 [route.access] is missing | add [route.access] with `apps = ["…"]`"#,
            r#"4:1 [route.engine] is missing | add [route.engine] with `url = "https://tenant.eu.qlikcloud.com"`"#,
            r#"4:1 [route.credential] is missing | add [route.credential] with `kind = "api-key"`"#,
        ],
    },
    Case {
        name: "wrong types",
        edits: &[(
            r#"address = "127.0.0.1:8080""#,
            r#"address = 8080
connections = "many"
head_timeout = 10
drain = true
head_bytes = 1.5"#,
        )],
        mistakes: &[
            r#"3:11 `address` cannot be an integer | write an IP address and a port in quotes, such as "127.0.0.1:8080", or "unix:/run/qix-proxy.sock""#,
            "4:15 `connections` cannot be a string | write a whole number, 1 or more",
            r#"5:16 `head_timeout` has no unit | write "10s" if seconds are meant"#,
            r#"6:9 `drain` cannot be a boolean | write a duration in quotes, such as "500ms", "20s", "10min" or "2h""#,
            r#"7:14 `head_bytes` cannot be a float | write a number of bytes, or a size in quotes, such as "1 MiB""#,
        ],
    },
    Case {
        name: "wrong types in lists",
        edits: &[(
            r#"origins = ["https://a.example"]"#,
            r#"origins = "https://a.example"
hosts = [1, "b.example"]"#,
        )],
        mistakes: &[
            r#"6:11 `origins` is a list | put it into brackets: ["…"]"#,
            r#"7:10 `hosts` cannot be an integer | write a host name in quotes, such as "app.example.com""#,
        ],
    },
    Case {
        name: "a kind that is not there",
        edits: &[(r#"kind = "jwt""#, r#"kind = "jtw""#)],
        mistakes: &[r#"8:8 `kind` cannot be "jtw" | write "jwt""#],
    },
    Case {
        name: "no kind",
        edits: &[(
            r#"kind = "none"
"#,
            "",
        )],
        mistakes: &[
            r#"15:1 `kind` is missing in [route.credential] | write `kind = "oauth-impersonation"`"#,
        ],
    },
    Case {
        name: "two mistakes in two tables",
        edits: &[
            (r#""/qlik""#, r#""qlik""#),
            (r#"url = "https://t.example""#, r#"url = "ftp://t.example""#),
        ],
        mistakes: &[
            r#"5:8 a path of a route begins with `/` | write "/qlik""#,
            "19:7 an engine cannot be a `ftp` URL | begin it with https:// or wss://",
        ],
    },
    Case {
        name: "a table of another kind",
        edits: &[(
            r#"kind = "none"
# it asks for nothing
"#,
            r#"kind = "oauth-client"
client_id = "c"
client_secret = { env = "S" }
user = { field = "subject", claim = "sub" }
shared = true
"#,
        )],
        mistakes: &[
            r#"19:1 [route.credential] has no key `user` | write [route.credential.user] in [route.credential] of kind "oauth-impersonation""#,
        ],
    },
];
