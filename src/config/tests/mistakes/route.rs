//! Where a route stands and who may knock.

use super::{Case, SESSION, check};

#[test]
fn every_mistake_is_told() {
    check(CASES);
}

const CASES: &[Case] = &[
    Case {
        name: "paths",
        edits: &[(r#"path = "/qlik""#, r#"path = "/qlik/""#)],
        mistakes: &[r#"5:8 a path of a route has no empty segments | write "/qlik""#],
    },
    Case {
        name: "a path that is decoded already",
        edits: &[(r#"path = "/qlik""#, r#"path = "/a%2Fb""#)],
        mistakes: &[
            "5:8 '%' cannot stand in a path of a route | write the character itself: the path is compared decoded",
        ],
    },
    Case {
        name: "an origin that is everything else",
        edits: &[(
            r#"origins = ["https://a.example"]"#,
            r#"origins = ["null", "*", "https://*.a.example", "a.example", "https://a.example/", "HTTPS://A.example:443"]"#,
        )],
        mistakes: &[
            r#"6:12 `null` is what any sandboxed page sends: it vouches for nobody | write scheme, host and port (if it is not the default), such as "https://app.example.com" or "http://localhost:5173""#,
            r#"6:20 an origin has no wildcard: each one is named | write scheme, host and port (if it is not the default), such as "https://app.example.com" or "http://localhost:5173""#,
            r#"6:25 an origin has no wildcard: each one is named | write scheme, host and port (if it is not the default), such as "https://app.example.com" or "http://localhost:5173""#,
            r#"6:48 this is no origin | write scheme, host and port (if it is not the default), such as "https://app.example.com" or "http://localhost:5173""#,
            r#"6:61 no browser writes its origin like this, and origins are compared byte for byte | write "https://a.example""#,
            r#"6:83 no browser writes its origin like this, and origins are compared byte for byte | write "https://a.example""#,
        ],
    },
    Case {
        name: "an origin with a password",
        edits: &[(
            r#"origins = ["https://a.example"]"#,
            r#"origins = ["https://u:canary@a.example"]"#,
        )],
        mistakes: &[
            r#"6:12 no browser writes its origin like this, and origins are compared byte for byte | write "https://a.example""#,
        ],
    },
    Case {
        name: "no origins",
        edits: &[(r#"origins = ["https://a.example"]"#, "origins = []")],
        mistakes: &[
            r#"6:11 `origins` is empty | write an origin in quotes, such as "https://app.example.com""#,
        ],
    },
    Case {
        name: "hosts",
        edits: &[(
            r#"path = "/qlik""#,
            r#"path = "/qlik"
hosts = ["A.example", "a.example:443", "https://a.example/", "*", ""]"#,
        )],
        mistakes: &[
            r#"6:10 a host name stands here as clients send it | write "a.example""#,
            r#"6:23 a host name has no scheme, port or path | write "a.example""#,
            r#"6:40 a host name has no scheme, port or path | write "a.example""#,
            "6:62 a host name has no wildcard: each one is named | leave `hosts` out if every host is meant",
            r#"6:67 this is no host name | write a host name in quotes, such as "app.example.com""#,
        ],
    },
    Case {
        name: "a word that is not known",
        edits: &[(
            r#"path = "/qlik""#,
            r#"path = "/qlik"
clients_without_origin = "bearr"
refusal = "close""#,
        )],
        mistakes: &[
            r#"6:26 `clients_without_origin` cannot be "bearr" | write "bearer""#,
            r#"7:11 `refusal` cannot be "close" | write "accept-then-close" or "status""#,
        ],
    },
    Case {
        name: "bearers that nobody knows",
        edits: &[
            (
                SESSION,
                r#"kind = "forward-auth"
url = "https://a.example/me"
cookies = ["s"]
subject = "id"
session = "sid"
"#,
            ),
            (
                r#"path = "/qlik""#,
                r#"path = "/qlik"
clients_without_origin = "bearer""#,
            ),
        ],
        mistakes: &[
            r#"6:26 no session of this route knows a client by `Authorization: Bearer` | write "refuse", or add a [[route.session]] with `kind = "jwt"`"#,
        ],
    },
    Case {
        name: "one path twice",
        edits: &[(
            r#"url = "https://t.example"
"#,
            r#"url = "https://t.example"
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
        )],
        mistakes: &[
            r#"21:8 another route has the path "/qlik" already, for the same host | write another path, or other `hosts`"#,
        ],
    },
    Case {
        name: "one path twice, on one host",
        edits: &[
            (
                r#"path = "/qlik""#,
                r#"path = "/qlik"
hosts = ["a.example", "b.example"]"#,
            ),
            (
                r#"url = "https://t.example"
"#,
                r#"url = "https://t.example"
[[route]]
path = "/qlik"
name = "b"
hosts = ["b.example"]
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
            ),
        ],
        mistakes: &[
            r#"22:8 another route has the path "/qlik" already, for the same host | write another path, or other `hosts`"#,
        ],
    },
    Case {
        name: "one name for two hosts",
        edits: &[
            (
                r#"path = "/qlik""#,
                r#"path = "/qlik"
hosts = ["a.example"]"#,
            ),
            (
                r#"url = "https://t.example"
"#,
                r#"url = "https://t.example"
[[route]]
path = "/qlik"
hosts = ["b.example"]
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
            ),
        ],
        mistakes: &[r#"22:8 another route is called "/qlik" already | write a `name` of its own"#],
    },
    Case {
        name: "one name twice",
        edits: &[
            (
                r#"path = "/qlik""#,
                r#"path = "/qlik"
name = "a""#,
            ),
            (
                r#"url = "https://t.example"
"#,
                r#"url = "https://t.example"
[[route]]
path = "/b"
name = "a"
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
            ),
        ],
        mistakes: &[r#"23:8 another route is called "a" already | write a `name` of its own"#],
    },
    Case {
        name: "limits",
        edits: &[(
            r#"url = "https://t.example"
"#,
            r#"url = "https://t.example"
[route.limits]
idle = "never"
client_ping = "0s"
client_message = 0
"#,
        )],
        mistakes: &[
            r#"21:8 "never" is no duration | write a duration in quotes, such as "500ms", "20s", "10min" or "2h""#,
            r#"22:15 `client_ping` cannot be nothing | write a duration in quotes, such as "500ms", "20s", "10min" or "2h""#,
            r#"23:18 `client_message` cannot be nothing | write a number of bytes, or a size in quotes, such as "1 MiB""#,
        ],
    },
    Case {
        name: "a name of nothing",
        edits: &[(
            r#"path = "/qlik""#,
            r#"path = "/qlik"
name = " ""#,
        )],
        mistakes: &["6:8 `name` is empty | write a text in quotes, or leave `name` out"],
    },
];
