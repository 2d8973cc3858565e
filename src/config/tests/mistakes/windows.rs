//! The credentials of Windows and of a bare engine.

use super::{CREDENTIAL, Case, check};

#[test]
fn every_mistake_is_told() {
    check(CASES);
}

const CASES: &[Case] = &[
    Case {
        name: "a token of nobody",
        edits: &[(CREDENTIAL, r#"kind = "qseow-jwt""#)],
        mistakes: &[
            r#"15:1 `user` is missing in [route.credential] | write `user = "{sub}"`"#,
            "15:1 [route.credential] needs `user_directory` or `user_directory_claim` | write `user_directory` or `user_directory_claim`",
            "15:1 [route.credential] needs `signing_key` or `signing_secret` | write `signing_key` or `signing_secret`",
        ],
    },
    Case {
        name: "users who get out of their place",
        edits: &[(
            CREDENTIAL,
            r#"kind = "engine-certificate"
user = "everybody"
user_directory = " Internal"
certificate = "client.pem"
key = "client_key.pem""#,
        )],
        mistakes: &[
            r#"17:8 there is no claim in it, so everybody would get the same | write a text with a claim between braces, such as "{sub}" or "app|{/user/id}""#,
            "18:18 this user directory names the directory of Qlik's own accounts | write the name of a user directory",
        ],
    },
    Case {
        name: "a directory that is another's id",
        edits: &[(
            CREDENTIAL,
            r#"kind = "qseow-ticket"
user = "{sub}"
user_directory = "CORP; UserId=root"
user_directory_claim = "dir"
certificate = "client.pem"
key = "client.pem""#,
        )],
        mistakes: &[
            "18:18 this user directory holds a character that cannot stand where it would go | write the name of a user directory",
            "19:24 `user_directory_claim` cannot stand beside `user_directory` | keep `user_directory` or `user_directory_claim`",
            "21:7 client.pem holds no private key in PEM | name a file with -----BEGIN PRIVATE KEY-----",
        ],
    },
    Case {
        name: "the key of another export",
        edits: &[(
            CREDENTIAL,
            r#"kind = "engine-certificate"
user = "{sub}"
user_directory = "CORP"
certificate = "client.pem"
key = "ed25519-key.pem""#,
        )],
        mistakes: &[
            "20:7 this key is not that of the certificate that `certificate` names | name the two files that were made together",
        ],
    },
    Case {
        name: "claims that are said twice",
        edits: &[(
            CREDENTIAL,
            r#"kind = "qseow-jwt"
user = "{sub}"
user_directory = "CORP"
signing_key = { file = "qlik-jwt-key.pem" }
claims = { userId = "{email}" }"#,
        )],
        mistakes: &[
            "20:10 `userId` says who it is, as `user` and `user_directory` do | leave `userId` out",
        ],
    },
    Case {
        name: "a list that says who it is",
        edits: &[(
            CREDENTIAL,
            r#"kind = "qseow-jwt"
user = "{sub}"
user_directory = "CORP"
signing_key = { file = "qlik-jwt-key.pem" }
list_claims = { userDirectory = "groups" }"#,
        )],
        mistakes: &[
            "20:15 `userDirectory` says who it is, as `user` and `user_directory` do | leave `userDirectory` out",
        ],
    },
    Case {
        name: "attributes that are two things, and sessions that linger for nothing",
        edits: &[(
            CREDENTIAL,
            r#"kind = "qseow-session"
user = "{sub}"
user_directory = "CORP"
certificate = "client.pem"
key = "client_key.pem"
attributes = { Group = "all" }
list_attributes = { Group = "groups" }
session_linger = "0s""#,
        )],
        mistakes: &[
            r#"22:19 "Group" is a text in `attributes` already | leave it out of `attributes` or of `list_attributes`"#,
            r#"23:18 `session_linger` cannot be nothing | write "never""#,
        ],
    },
    Case {
        name: "a token that lives for ever",
        edits: &[(
            CREDENTIAL,
            r#"kind = "bearer-jwt"
subject = "{sub}"
signing_key = { env = "KEY" }
claims = { exp = "never" }"#,
        )],
        mistakes: &[
            "18:15 what `signing_key` names is no private key in PEM | name a file with -----BEGIN PRIVATE KEY-----",
            "19:10 `exp` is said by the proxy itself | leave `exp` out",
        ],
    },
    Case {
        name: "the certificate over plain http",
        edits: &[(
            CREDENTIAL,
            r#"kind = "qseow-session"
user = "{sub}"
user_directory = "CORP"
api_url = "http://qlik.example:4243"
certificate = "client.pem"
key = "client_key.pem""#,
        )],
        mistakes: &[
            "19:11 plain http to another machine can be read and changed on the way | write https://",
        ],
    },
];
