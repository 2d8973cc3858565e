//! The first question.

use super::{Case, SESSION, check};

#[test]
fn every_mistake_is_told() {
    check(CASES);
}

const CASES: &[Case] = &[
    Case {
        name: "no session",
        edits: &[(
            r#"[[route.session]]
kind = "jwt"
cookie = "s"
jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            "",
        )],
        mistakes: &[
            r#"4:1 [[route.session]] is missing | add [[route.session]] with `kind = "jwt"`"#,
        ],
    },
    Case {
        name: "a key set of nobody for nobody",
        edits: &[(
            r#"issuer = "https://idp.example"
audience = "a"
"#,
            "",
        )],
        mistakes: &[
            r#"7:1 `issuer` is missing beside `jwks`: a key set signs for other apps as well | write `issuer = "https://idp.example.com"`"#,
            r#"7:1 `audience` is missing beside `jwks`: a key set signs for other apps as well | write `audience = "analytics"`"#,
        ],
    },
    Case {
        name: "no key",
        edits: &[(
            r#"jwks = "https://idp.example/jwks"
"#,
            "",
        )],
        mistakes: &[
            "7:1 [[route.session]] needs `jwks` or `pem` or `secret` | write `jwks` or `pem` or `secret`",
        ],
    },
    Case {
        name: "two keys",
        edits: &[(
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
secret = { env = "S" }
"#,
        )],
        mistakes: &["13:10 `secret` cannot stand beside `jwks` | keep `jwks` or `pem` or `secret`"],
    },
    Case {
        name: "a key set's setting without a key set",
        edits: &[(
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"pem = { file = "idp.pem" }
jwks_keep = "1h"
"#,
        )],
        mistakes: &[
            "11:13 `jwks_keep` says nothing without `jwks` | leave `jwks_keep` out, or write `jwks`",
        ],
    },
    Case {
        name: "key confusion",
        edits: &[(
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
algorithms = ["RS256", "HS256"]
"#,
        )],
        mistakes: &[
            r#"13:14 HS256 takes a shared secret: beside a public key, whoever knows that key could sign | write the algorithm of the public key, such as "RS256" or "ES256""#,
        ],
    },
    Case {
        name: "key confusion beside a public key",
        edits: &[(
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"pem = { file = "idp.pem" }
algorithms = ["HS512"]
"#,
        )],
        mistakes: &[
            r#"11:14 HS512 takes a shared secret: beside a public key, whoever knows that key could sign | write the algorithm of the public key, such as "RS256" or "ES256""#,
        ],
    },
    Case {
        name: "a public algorithm beside a secret",
        edits: &[(
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"secret = { env = "S" }
algorithms = ["ES256"]
"#,
        )],
        mistakes: &[
            r#"11:14 ES256 takes a public key, and here is a shared `secret` | write "HS256", or `jwks` or `pem` in place of `secret`"#,
        ],
    },
    Case {
        name: "algorithms",
        edits: &[(
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
algorithms = ["none", "rs256", "ES512"]
"#,
        )],
        mistakes: &[
            r#"13:15 `algorithms` cannot be "none" | write "RS256" or "RS384" or "RS512" or "PS256" or "PS384" or "PS512" or "ES256" or "ES384" or "EdDSA" or "HS256" or "HS384" or "HS512""#,
            r#"13:23 `algorithms` cannot be "rs256" | write "RS256""#,
            r#"13:32 `algorithms = "ES512"` is not built yet | write "RS256" or "RS384" or "RS512" or "PS256" or "PS384" or "PS512" or "ES256" or "ES384" or "EdDSA" or "HS256" or "HS384" or "HS512""#,
        ],
    },
    Case {
        name: "no algorithms",
        edits: &[(
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
algorithms = []
"#,
        )],
        mistakes: &[
            "13:14 `algorithms` is empty | write a word that `qix-proxy schema` lists, in quotes",
        ],
    },
    Case {
        name: "a short shared secret",
        edits: &[(
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"secret = { env = "SHORT" }
"#,
        )],
        mistakes: &[
            "10:10 this secret has 31 bytes; it needs 32 or more | make one with `openssl rand -hex 32`",
        ],
    },
    Case {
        name: "an inline shared secret",
        edits: &[(
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"secret = "canary-canary-canary-canary-canary"
"#,
        )],
        mistakes: &[
            r#"10:10 `secret` is a secret: it never stands in the config | write { env = "NAME_OF_A_VARIABLE" } or { file = "/path/of/a/file" }"#,
        ],
    },
    Case {
        name: "a private key",
        edits: &[(
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"pem = { file = "server-key.pem" }
"#,
        )],
        mistakes: &[
            "10:7 this file holds a private key; whoever has it can sign tokens | name the file of the public key",
        ],
    },
    Case {
        name: "a file that is no key",
        edits: &[(
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"pem = { file = "key.txt" }
"#,
        )],
        mistakes: &[
            "10:7 this file holds no public key in PEM | name a file with -----BEGIN PUBLIC KEY-----",
        ],
    },
    Case {
        name: "an inline key",
        edits: &[(
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"pem = "-----BEGIN canary"
"#,
        )],
        mistakes: &[
            r#"10:7 `pem` only says where the key is | write { file = "/path/of/a/public-key.pem" }"#,
        ],
    },
    Case {
        name: "a cookie",
        edits: &[(r#"cookie = "s""#, r#"cookie = "s=1""#)],
        mistakes: &[
            r#"9:10 '=' cannot stand in a cookie's name | write the name alone, such as "session" or "__Host-session""#,
        ],
    },
    Case {
        name: "nothing that carries the token",
        edits: &[(
            r#"cookie = "s"
"#,
            "",
        )],
        mistakes: &[
            r#"7:1 nothing carries this token: browsers send a cookie, and clients without Origin are refused | write `cookie = "session"`, or `clients_without_origin = "bearer"` in [[route]]"#,
        ],
    },
    Case {
        name: "a key set over plain http",
        edits: &[(
            r#""https://idp.example/jwks""#,
            r#""http://idp.example/jwks""#,
        )],
        mistakes: &[
            "10:8 plain http to another machine can be read and changed on the way | write https://, or `allow_http = true` in this table if that way is trusted",
        ],
    },
    Case {
        name: "a key set with a password",
        edits: &[(
            r#""https://idp.example/jwks""#,
            r#""https://u:canary@idp.example/jwks#x""#,
        )],
        mistakes: &[
            "10:8 a URL here carries no user and no password | leave out what stands before the `@`",
        ],
    },
    Case {
        name: "a key set with a fragment",
        edits: &[(
            r#""https://idp.example/jwks""#,
            r#""https://idp.example/jwks#x""#,
        )],
        mistakes: &["10:8 a URL here has no fragment | leave out the `#` and what follows it"],
    },
    Case {
        name: "a key set that is no URL",
        edits: &[(
            r#""https://idp.example/jwks""#,
            r#""idp.example?token=canary""#,
        )],
        mistakes: &[
            r#"10:8 this is no URL | write a URL in quotes, such as "https://idp.example.com/jwks.json""#,
        ],
    },
    Case {
        name: "claims",
        edits: &[(
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
"#,
            r#"jwks = "https://idp.example/jwks"
issuer = "https://idp.example"
audience = "a"
subject_claim = "/a~b"
session_claim = ""
"#,
        )],
        mistakes: &[
            r#"13:17 in a JSON pointer, `~` stands only in `~0` (for `~`) and `~1` (for `/`) | write "/a~0b""#,
            "14:17 `session_claim` is empty | write a text in quotes, or leave `session_claim` out",
        ],
    },
    Case {
        name: "an endpoint that is told nothing",
        edits: &[(
            SESSION,
            r#"kind = "forward-auth"
url = "https://a.example/me"
subject = "id"
"#,
        )],
        mistakes: &[
            r#"7:1 nothing of the client is passed on, so the app cannot know who it is | write `cookies = ["session"]`, the name of the app's session cookie"#,
        ],
    },
    Case {
        name: "an endpoint over plain http, that says nothing",
        edits: &[(
            SESSION,
            r#"kind = "forward-auth"
url = "http://a.example/me"
cookies = ["s"]
"#,
        )],
        mistakes: &[
            r#"7:1 `subject` is missing in [[route.session]] | write `subject = "/user/id"`"#,
            "9:7 plain http to another machine can be read and changed on the way | write https://, or `allow_http = true` in this table if that way is trusted",
        ],
    },
    Case {
        name: "headers",
        edits: &[(
            SESSION,
            r#"kind = "forward-auth"
url = "https://a.example/me"
headers = ["cookie", "Host", "Sec-WebSocket-Key", "a b"]
subject = "id"
"#,
        )],
        mistakes: &[
            "10:12 cookies are passed on one by one, by name | name them in `cookies`",
            "10:22 `host` belongs to one connection and is never passed on | leave it out",
            "10:30 `sec-websocket-key` belongs to one connection and is never passed on | leave it out",
            r#"10:51 this is no name of a header | write the name of a header in quotes, such as "x-session""#,
        ],
    },
    Case {
        name: "places",
        edits: &[(
            SESSION,
            r#"kind = "forward-auth"
url = "https://a.example/me"
cookies = ["s"]
subject = { heder = "x-user" }
session = { header = "x user" }
expires = 5
"#,
        )],
        mistakes: &[
            r#"11:11 `header` is missing in `subject` | write `header = "x-user"`"#,
            "11:13 `subject` has no key `heder` | write `header`",
            r#"12:22 this is no name of a header | write the name of a header in quotes, such as "x-user""#,
            r#"13:11 `expires` cannot be an integer | write where it stands in the JSON, such as "/user/id", or { header = "x-user" }"#,
        ],
    },
    Case {
        name: "claims of an answer",
        edits: &[(
            SESSION,
            r#"kind = "forward-auth"
url = "https://a.example/me"
cookies = ["s"]
subject = "id"
claims = { sub = "id", a = 1 }
"#,
        )],
        mistakes: &[
            "12:18 `sub` is always the subject | leave it out, and say in `subject` where it stands",
            r#"12:28 `a` cannot be an integer | write where it stands in the JSON, such as "/user/id", or { header = "x-user" }"#,
        ],
    },
    Case {
        name: "an endpoint asked again never",
        edits: &[(
            SESSION,
            r#"kind = "forward-auth"
url = "https://a.example/me"
cookies = ["s"]
subject = "id"
recheck = "0s"
"#,
        )],
        mistakes: &[
            r#"12:11 `recheck` cannot be nothing | write a duration in quotes, such as "500ms", "20s", "10min" or "2h""#,
        ],
    },
    Case {
        name: "a ticket that lives long and comes by post",
        edits: &[(
            "[route.access]",
            r#"[[route.session]]
kind = "ticket"
life = "31s"
carriers = ["query", "header"]
[route.access]"#,
        )],
        mistakes: &[
            r#"15:8 a ticket is good for 1 s to 30 s: a page opens its websocket at once | write "30s" or less"#,
            r#"16:22 `carriers` cannot be "header" | write "query" or "subprotocol""#,
        ],
    },
    Case {
        name: "tickets and nobody to get one",
        edits: &[(
            SESSION,
            r#"kind = "ticket"
"#,
        )],
        mistakes: &[
            r#"7:1 nobody can get a ticket: no other session says who somebody is | add a [[route.session]] of another kind, such as `kind = "jwt"`"#,
        ],
    },
    Case {
        name: "two sorts of tickets",
        edits: &[(
            "[route.access]",
            r#"[[route.session]]
kind = "ticket"
[[route.session]]
kind = "ticket"
life = "5s"
[route.access]"#,
        )],
        mistakes: &[
            r#"7:1 a route has one sort of tickets | keep one [[route.session]] of kind "ticket""#,
        ],
    },
];
