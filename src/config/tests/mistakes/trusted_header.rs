//! `kind = "trusted-header"`.

use super::{Case, SESSION, check};

#[test]
fn every_mistake_is_told() {
    check(CASES);
}

const CASES: &[Case] = &[
    Case {
        name: "a peer that has no way in",
        edits: &[(
            SESSION,
            r#"kind = "trusted-header"
peers = ["10.0.0.0/8", "unix"]
subject = "x-user"
"#,
        )],
        mistakes: &[
            "2:1 nobody can come by \"unix\", which is believed | write `address = \"unix:/…\"` in [listen], or leave \"unix\" out",
        ],
    },
    Case {
        name: "a certificate that nobody is asked for",
        edits: &[(
            SESSION,
            r#"kind = "trusted-header"
peers = ["certificate"]
subject = "x-user"
"#,
        )],
        mistakes: &[
            "2:1 nobody can come by \"certificate\", which is believed | write `client_ca` in [listen.tls], or leave \"certificate\" out",
        ],
    },
    Case {
        name: "a socket file that is nowhere, and a mode that is none",
        edits: &[(
            r#"address = "127.0.0.1:8080""#,
            r#"address = "unix:qix.sock"
socket_mode = "rw""#,
        )],
        mistakes: &[
            "3:11 this is no place for a socket file | write an absolute path, such as \"unix:/run/qix-proxy.sock\"",
            "4:15 this is no file mode | write the mode in octal, in quotes, such as \"0660\"",
        ],
    },
    Case {
        name: "headers of nobody",
        edits: &[(
            SESSION,
            r#"kind = "trusted-header"
"#,
        )],
        mistakes: &[
            r#"7:1 `peers` is missing in [[route.session]] | write `peers = ["10.0.0.0/8"]`"#,
            r#"7:1 `subject` is missing in [[route.session]] | write `subject = "x-user"`"#,
        ],
    },
    Case {
        name: "headers of no peer",
        edits: &[(
            SESSION,
            r#"kind = "trusted-header"
peers = []
subject = "x-user"
"#,
        )],
        mistakes: &[
            r#"9:9 `peers` is empty | write a network or an address in quotes, such as "10.0.0.0/8", or "unix" or "certificate""#,
        ],
    },
    Case {
        name: "headers of everybody",
        edits: &[(
            SESSION,
            r#"kind = "trusted-header"
peers = ["0.0.0.0/0", "::/0", "10.0.0.1/8", "ingress", "::ffff:10.0.0.0/104", "10.0.0.0/33"]
subject = "x-user"
"#,
        )],
        mistakes: &[
            "9:10 this is everybody | name the networks of your own proxies",
            "9:23 this is everybody | name the networks of your own proxies",
            r#"9:31 this network begins at 10.0.0.0 | write "10.0.0.0/8""#,
            r#"9:45 this is no network | write a network or an address in quotes, such as "10.0.0.0/8", or "unix" or "certificate""#,
            r#"9:56 IPv4 addresses are not written as IPv6 here | write them as IPv4, such as "10.0.0.0/8""#,
            r#"9:79 this is no network | write a network or an address in quotes, such as "10.0.0.0/8", or "unix" or "certificate""#,
        ],
    },
    Case {
        name: "headers of everybody in two halves",
        edits: &[(
            SESSION,
            r#"kind = "trusted-header"
peers = ["0.0.0.0/1", "128.0.0.0/1"]
subject = "x-user"
"#,
        )],
        mistakes: &["9:9 together these networks are everybody | name the ingress's own network"],
    },
    Case {
        name: "headers that are none",
        edits: &[(
            SESSION,
            r#"kind = "trusted-header"
peers = ["10.1.2.3"]
subject = "x user"
session = "cookie"
claims = { sub = "x-sub", mail = "x mail" }
max_age = "0s"
"#,
        )],
        mistakes: &[
            r#"10:11 this is no name of a header | write the name of a header in quotes, such as "x-session""#,
            "11:11 cookies are passed on one by one, by name | name them in `cookies`",
            "12:18 `sub` is always the subject | leave it out, and say in `subject` where it stands",
            r#"12:34 this is no name of a header | write the name of a header in quotes, such as "x-user""#,
            r#"13:11 `max_age` cannot be nothing | write a duration in quotes, such as "500ms", "20s", "10min" or "2h""#,
        ],
    },
];
