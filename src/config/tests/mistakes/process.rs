//! The tables of the whole process, and secrets.

use super::{Case, check};

#[test]
fn every_mistake_is_told() {
    check(CASES);
}

const CASES: &[Case] = &[
    Case {
        name: "an inline secret",
        edits: &[(
            r#"identity_key = { env = "IDENTITY" }"#,
            r#"identity_key = "canary-canary-canary-canary-canary""#,
        )],
        mistakes: &[
            r#"1:16 `identity_key` is a secret: it never stands in the config | write { env = "NAME_OF_A_VARIABLE" } or { file = "/path/of/a/file" }"#,
        ],
    },
    Case {
        name: "a secret of two sources",
        edits: &[(
            r#"identity_key = { env = "IDENTITY" }"#,
            r#"identity_key = { env = "A", file = "b" }"#,
        )],
        mistakes: &["1:36 `file` cannot stand beside `env` | keep `env` or `file`"],
    },
    Case {
        name: "a secret of no source",
        edits: &[(
            r#"identity_key = { env = "IDENTITY" }"#,
            "identity_key = {}",
        )],
        mistakes: &["1:16 `identity_key` needs `env` or `file` | write `env` or `file`"],
    },
    Case {
        name: "a source that is not known",
        edits: &[(
            r#"identity_key = { env = "IDENTITY" }"#,
            r#"identity_key = { evn = "canary" }"#,
        )],
        mistakes: &[
            "1:16 `identity_key` needs `env` or `file` | write `env` or `file`",
            "1:18 `identity_key` has no key `evn` | write `env`",
        ],
    },
    Case {
        name: "a variable that is not set",
        edits: &[(
            r#"identity_key = { env = "IDENTITY" }"#,
            r#"identity_key = { env = "UNSET" }"#,
        )],
        mistakes: &["1:24 the environment variable UNSET is not set | set it, or name another"],
    },
    Case {
        name: "a variable that may be the secret itself",
        edits: &[(
            r#"identity_key = { env = "IDENTITY" }"#,
            r#"identity_key = { env = "canary_UNSET" }"#,
        )],
        mistakes: &[
            "1:24 the environment variable of this name is not set | set it, or name another",
        ],
    },
    Case {
        name: "a variable that is surely the secret itself",
        edits: &[(
            r#"identity_key = { env = "IDENTITY" }"#,
            r#"identity_key = { env = "canary-canary" }"#,
        )],
        mistakes: &[
            "1:24 this is no name of an environment variable | write its name, not the secret itself",
        ],
    },
    Case {
        name: "a variable that is empty",
        edits: &[(
            r#"identity_key = { env = "IDENTITY" }"#,
            r#"identity_key = { env = "EMPTY" }"#,
        )],
        mistakes: &["1:16 what `identity_key` names is empty | put the secret there"],
    },
    Case {
        name: "a short secret",
        edits: &[(
            r#"identity_key = { env = "IDENTITY" }"#,
            r#"identity_key = { env = "SHORT" }"#,
        )],
        mistakes: &[
            "1:16 this secret has 31 bytes; it needs 32 or more | make one with `openssl rand -hex 32`",
        ],
    },
    Case {
        name: "a file that is not there",
        edits: &[(
            r#"identity_key = { env = "IDENTITY" }"#,
            r#"identity_key = { file = "/run/missing" }"#,
        )],
        mistakes: &[
            "1:25 /run/missing cannot be read: entity not found | name a file that this user can read",
        ],
    },
    Case {
        name: "an empty file",
        edits: &[(
            r#"identity_key = { env = "IDENTITY" }"#,
            r#"identity_key = { file = "empty" }"#,
        )],
        mistakes: &["1:25 empty is empty | put something into it, or name another"],
    },
    Case {
        name: "addresses",
        edits: &[
            (
                r#"address = "127.0.0.1:8080""#,
                r#"address = "localhost:8080""#,
            ),
            (
                "[[route]]",
                r#"[admin]
address = ":9090"
[[route]]"#,
            ),
        ],
        mistakes: &[
            r#"3:11 this is no address to listen at | write an IP address and a port in quotes, such as "127.0.0.1:8080""#,
            r#"5:11 this is no address to listen at | write "0.0.0.0:9090""#,
        ],
    },
    Case {
        name: "one port for two doors",
        edits: &[(
            "[[route]]",
            r#"[admin]
address = "0.0.0.0:8080"
[[route]]"#,
        )],
        mistakes: &[
            r#"5:11 `listen.address` has port 8080 already | write another port, such as "127.0.0.1:9090""#,
        ],
    },
    Case {
        name: "a token in plain text for all to hear",
        edits: &[(
            "[[route]]",
            r#"[admin]
address = "0.0.0.0:9090"
token = { env = "ADMIN" }
[[route]]"#,
        )],
        mistakes: &[
            "6:9 this token would cross the network in plain text | write [admin.tls] with `certificate` and `key`, or let `address` be loopback",
        ],
    },
    Case {
        name: "nothing",
        edits: &[(
            r#"address = "127.0.0.1:8080""#,
            r#"head_timeout = "0s"
connections = 0
head_bytes = 0"#,
        )],
        mistakes: &[
            r#"3:16 `head_timeout` cannot be nothing | write a duration in quotes, such as "500ms", "20s", "10min" or "2h""#,
            "4:15 `connections` cannot be this number | write a whole number, 1 or more",
            r#"5:14 `head_bytes` cannot be nothing | write a number of bytes, or a size in quotes, such as "1 MiB""#,
        ],
    },
    Case {
        name: "no durations",
        edits: &[(
            r#"address = "127.0.0.1:8080""#,
            r#"head_timeout = "10 sec"
drain = "1h30min""#,
        )],
        mistakes: &[
            r#"3:16 "10 sec" is no duration | write a duration in quotes, such as "500ms", "20s", "10min" or "2h""#,
            r#"4:9 "1h30min" is no duration | write a duration in quotes, such as "500ms", "20s", "10min" or "2h""#,
        ],
    },
    Case {
        name: "too long",
        edits: &[(r#"address = "127.0.0.1:8080""#, r#"drain = "400d""#)],
        mistakes: &[r#"3:9 this is longer than a year | write "365d" or less"#],
    },
    Case {
        name: "too much to count",
        edits: &[(
            r#"address = "127.0.0.1:8080""#,
            r#"drain = "99999999999999999999s"
head_bytes = "99999999999 GiB"
connections = -1"#,
        )],
        mistakes: &[
            r#"3:9 "99999999999999999999s" is no duration | write a duration in quotes, such as "500ms", "20s", "10min" or "2h""#,
            r#"4:14 this is no size | write a number of bytes, or a size in quotes, such as "1 MiB""#,
            "5:15 `connections` cannot be this number | write a whole number, 1 or more",
        ],
    },
    Case {
        name: "sizes",
        edits: &[(r#"address = "127.0.0.1:8080""#, r#"head_bytes = "16KB""#)],
        mistakes: &[
            r#"3:14 this is no size | write a number of bytes, or a size in quotes, such as "1 MiB""#,
        ],
    },
    Case {
        name: "a small head",
        edits: &[(r#"address = "127.0.0.1:8080""#, r#"head_bytes = "4 KiB""#)],
        mistakes: &[
            r#"3:14 a request head of less than 8 KiB is too little for cookies and tokens | write "8 KiB" or more"#,
        ],
    },
    Case {
        name: "trusted proxies",
        edits: &[(
            r#"address = "127.0.0.1:8080""#,
            r#"trusted_proxies = [
"0.0.0.0/0",
"::/0",
"10.1.2.3/8",
"::ffff:10.0.0.0/104",
"ingress.example.com",
"10.0.0.0/33",
"192.0.2.7",
"fd00::/8",
]"#,
        )],
        mistakes: &[
            "4:1 this is everybody | name the networks of your own proxies",
            "5:1 this is everybody | name the networks of your own proxies",
            r#"6:1 this network begins at 10.0.0.0 | write "10.0.0.0/8""#,
            r#"7:1 IPv4 addresses are not written as IPv6 here | write them as IPv4, such as "10.0.0.0/8""#,
            r#"8:1 this is no network | write a network or an address in quotes, such as "10.0.0.0/8", or "unix" or "certificate""#,
            r#"9:1 this is no network | write a network or an address in quotes, such as "10.0.0.0/8", or "unix" or "certificate""#,
        ],
    },
    Case {
        name: "one trusted proxy, and quotas of nothing",
        edits: &[
            (
                r#"address = "127.0.0.1:8080""#,
                r#"trusted_proxies = "10.0.0.0/8""#,
            ),
            (
                "[[route]]",
                "[limits]\nopens_per_minute = 0\nfailures_per_minute = \"never\"\n[[route]]",
            ),
        ],
        mistakes: &[
            r#"3:19 `trusted_proxies` is a list | put it into brackets: ["…"]"#,
            "5:20 `opens_per_minute` cannot be this number | write a whole number, 1 or more",
            "6:23 `failures_per_minute` cannot be a string | write a whole number, 1 or more",
        ],
    },
    Case {
        name: "certificates",
        edits: &[(
            r#"address = "127.0.0.1:8080""#,
            r#"tls = { certificate = "missing.pem", key = "server.pem" }"#,
        )],
        mistakes: &[
            "3:23 missing.pem cannot be read: entity not found | name a file that this user can read",
            "3:44 server.pem holds no private key in PEM | name a file with -----BEGIN PRIVATE KEY-----",
        ],
    },
    Case {
        name: "keys",
        edits: &[(
            r#"address = "127.0.0.1:8080""#,
            r#"tls = { certificate = "server-key.pem", key = "empty" }"#,
        )],
        mistakes: &[
            "3:23 server-key.pem holds no certificates in PEM | name a file with -----BEGIN CERTIFICATE-----",
            "3:47 empty is empty | put something into it, or name another",
        ],
    },
    Case {
        name: "a key of another certificate",
        edits: &[(
            r#"address = "127.0.0.1:8080""#,
            r#"tls = { certificate = "server.pem", key = "qlik-client-key.pem" }"#,
        )],
        mistakes: &[
            "3:43 this key is not that of the certificate that `certificate` names | name the two files that were made together",
        ],
    },
    Case {
        name: "half of tls",
        edits: &[(
            r#"address = "127.0.0.1:8080""#,
            r#"tls = { certificate = "server.pem" }"#,
        )],
        mistakes: &[
            r#"3:7 `key` is missing in [listen.tls] | write `key = "certs/server-key.pem"`"#,
        ],
    },
    Case {
        name: "HTTP/2",
        edits: &[(
            "[[route]]",
            "[listen.http2]\noffer = \"yes\"\nstreams = 1001\nidle = \"0s\"\n[[route]]",
        )],
        mistakes: &[
            "5:9 `offer` cannot be a string | write `true` or `false`, without quotes",
            "6:11 a connection cannot carry more than 1000 at once | write 1000 or less",
            "7:8 `idle` cannot be nothing | write a duration in quotes, such as \"500ms\", \"20s\", \"10min\" or \"2h\"",
        ],
    },
    Case {
        name: "a log",
        edits: &[(
            "[listen]",
            r#"[log]
format = "xml"
level = "loud,qix_proxy=debug"
[listen]"#,
        )],
        mistakes: &[
            r#"3:10 `format` cannot be "xml" | write "text" or "json""#,
            r#"4:9 "loud" names no level | write a level in quotes (off, error, warn, info, debug, trace), or such as "info,qix_proxy=debug""#,
        ],
    },
    Case {
        name: "a ca",
        edits: &[(
            "[listen]",
            r#"[outbound]
ca = "tls.key"
[listen]"#,
        )],
        mistakes: &[
            "3:6 tls.key holds no certificates in PEM | name a file with -----BEGIN CERTIFICATE-----",
        ],
    },
];
